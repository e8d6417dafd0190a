-- Appending in the usual case, where nothing was there before, at about half the cost: insert first, and look for
-- what is known only if the unique index says that something is.

ALTER FUNCTION append_messages(smallint, bigint, smallint[], bytea, integer[], bytea, bytea, integer[])
  RENAME TO append_with_known_messages;

-- The same as append_with_known_messages (0001_messages.sql), which it leaves to answer where that is not so
-- simple. What was done until then is undone, the lock on the counter included, as if it had never been called.
CREATE FUNCTION append_messages(
  of_kind smallint,
  stamp_ns bigint,
  arms smallint[],
  topics bytea,
  topic_bounds integer[],
  digests bytea,
  bodies bytea,
  body_bounds integer[]
) RETURNS TABLE (id bigint, fresh boolean)
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
        RETURN QUERY SELECT before + nth, true FROM generate_series(1, asked) AS nth;
        RETURN;
      END IF;
    EXCEPTION WHEN unique_violation THEN
      -- Some of them are known, or the same message is among them twice.
    END;
  END IF;
  RETURN QUERY SELECT id, fresh
  FROM append_with_known_messages(of_kind, stamp_ns, arms, topics, topic_bounds, digests, bodies, body_bounds);
END
$$;
