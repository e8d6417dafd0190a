-- Appending, answered in a few words. A row for each message is more than a socket holds once there are some
-- thousands: the server would wait in the middle of its statement, the counter's lock in its hand, for a node that
-- has stopped reading, and every other node for the server. Now a batch that is new is answered by one row.

-- Stores messages as append_messages does (0001_messages.sql, 0002_append_at_once.sql) and answers in runs, in the
-- order given: the next `messages` of them have the ids from `first` on, and all of them are fresh or none is.
CREATE FUNCTION append_in_runs(
  of_kind smallint,
  stamp_ns bigint,
  arms smallint[],
  topics bytea,
  topic_bounds integer[],
  digests bytea,
  bodies bytea,
  body_bounds integer[]
) RETURNS TABLE (messages integer, first bigint, fresh boolean)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  asked CONSTANT integer := cardinality(arms);
  before bigint;
BEGIN
  IF asked > 0 AND (cardinality(topic_bounds), cardinality(body_bounds), octet_length(digests)) = (asked + 1, asked + 1, asked * 32) THEN
    BEGIN
      -- First of all the lock: whoever held it before has committed when the next statement begins.
      UPDATE sequences SET last = last + asked WHERE kind = of_kind RETURNING last - asked INTO before;
      IF FOUND THEN
        INSERT INTO messages (id, created_ns, kind, arm, topic, digest, body)
        SELECT before + nth, stamp_ns, of_kind, arms[nth],
          blob_part(topics, topic_bounds, nth), substring(digests FROM nth * 32 - 31 FOR 32), blob_part(bodies, body_bounds, nth)
        FROM generate_series(1, asked) AS nth;
        PERFORM pg_notify('tideline', of_kind || ':' || before + asked);
        RETURN QUERY SELECT asked, before + 1, true;
        RETURN;
      END IF;
    EXCEPTION WHEN unique_violation THEN
      -- Some of them are known, or the same message is among them twice.
    END;
  END IF;
  RETURN QUERY
  SELECT count(*)::integer, min(id), fresh
  FROM (
    SELECT nth, id, fresh, nth - row_number() OVER (PARTITION BY fresh, id - nth ORDER BY nth) AS run
    FROM append_with_known_messages(of_kind, stamp_ns, arms, topics, topic_bounds, digests, bodies, body_bounds)
      WITH ORDINALITY AS answered (id, fresh, nth)
  ) AS judged
  GROUP BY fresh, id - nth, run
  ORDER BY min(nth);
END
$$;
