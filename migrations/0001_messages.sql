-- Every message of every kind, and the one way in.
--
-- Ids are the order in which streams deliver. So they must come without holes and in commit order: whoever has
-- seen id n must never meet n - 1 afterwards. A bigserial cannot promise that, because its numbers are drawn
-- before the commit. Here a counter row is locked until the commit, so that the next append waits for it.

CREATE TABLE sequences (
  kind smallint PRIMARY KEY,
  -- The newest id ever given; 0 before the first.
  last bigint NOT NULL CHECK (last >= 0)
) WITH (
  -- Updated by every append: room on the page keeps the updates heap-only, which need no vacuum.
  fillfactor = 10,
  -- Giving empty pages back takes a lock that would stop all appends; the table has one page anyway.
  vacuum_truncate = off
);

-- Kind 0 is group messages, kind 1 is welcomes: two sequences of their own.
INSERT INTO sequences (kind, last) VALUES (0, 0), (1, 0);

CREATE TABLE messages (
  id bigint NOT NULL,
  -- Nanoseconds since 1970, by the wall clock of the node that stored it.
  created_ns bigint NOT NULL,
  kind smallint NOT NULL,
  -- The field number of the `version` arm that the body is of.
  arm smallint NOT NULL,
  -- Kind byte, then identifier.
  topic bytea NOT NULL,
  -- SHA-256 of the payload: the same payload on the same topic is the same message.
  digest bytea NOT NULL,
  -- The encoded fields of the arm, without id and created_ns.
  body bytea NOT NULL,
  PRIMARY KEY (kind, id),
  CONSTRAINT messages_topic_digest UNIQUE (topic, digest),
  CONSTRAINT messages_id CHECK (id > 0),
  CONSTRAINT messages_topic CHECK (octet_length(topic) BETWEEN 2 AND 1024 AND get_byte(topic, 0) = kind),
  CONSTRAINT messages_digest CHECK (octet_length(digest) = 32),
  -- The most that a default gRPC client can receive, as a last guard: publishing has a limit below it.
  CONSTRAINT messages_body CHECK (octet_length(body) <= 4194304)
) WITH (
  -- Catch-up reads ids from the index alone, which works only where the visibility map is fresh.
  autovacuum_vacuum_insert_scale_factor = 0.02,
  autovacuum_vacuum_insert_threshold = 10000,
  vacuum_truncate = off
);

-- Payloads are ciphertext, digests are hashes: trying to compress them is wasted time.
ALTER TABLE messages
  ALTER COLUMN topic SET STORAGE EXTERNAL,
  ALTER COLUMN digest SET STORAGE EXTERNAL,
  ALTER COLUMN body SET STORAGE EXTERNAL;

-- The messages of a topic in order, and its newest one.
CREATE INDEX messages_topic_id ON messages (topic, id);

-- Part number `nth` (from 1) of a blob of parts that were joined without separators. Part i ends before byte
-- bounds[i + 1], counted from 0, and the first bound is 0. Inlined by the planner.
CREATE FUNCTION blob_part(blob bytea, bounds integer[], nth integer) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT substring(blob FROM bounds[nth] + 1 FOR bounds[nth + 1] - bounds[nth]) $$;

-- Stores messages of one kind and answers, in the order given, each one's id and whether it is fresh; one that
-- was there already, or stands earlier in the same call, has the id of the first and is not stored again.
--
-- Call it as one autocommit statement: the lock on the counter is held to the commit, and a client that is slow
-- to commit would stop all others.
--
-- The messages come as blobs with bounds (see blob_part) because one binary parameter is read twice as fast as
-- an array of bytea, which travels as text. `digests` needs no bounds: 32 bytes each.
--
-- Why the planner is pinned: the plans are made once per session, at a time when the table may be empty, and
-- must still be right with a billion rows: probe the unique index once per message.
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
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_sort = off
SET enable_incremental_sort = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  asked CONSTANT integer := cardinality(arms);
  before bigint;
  ids bigint[];
  freshness boolean[];
  stored integer;
BEGIN
  IF asked = 0 THEN RETURN; END IF;
  IF (cardinality(topic_bounds), cardinality(body_bounds), octet_length(digests)) IS DISTINCT FROM (asked + 1, asked + 1, asked * 32) THEN
    RAISE EXCEPTION 'append_messages: bounds or digests do not fit % messages', asked USING ERRCODE = 'invalid_parameter_value';
  END IF;

  -- First of all the lock. This function is VOLATILE, so in READ COMMITTED every statement below sees all that
  -- was committed by those who held the lock before: looking for duplicates is exact. (In a stricter isolation
  -- this statement fails with 40001 if anybody appended since the snapshot; that may be retried.)
  UPDATE sequences SET last = last + asked WHERE kind = of_kind RETURNING last - asked INTO before;
  IF before IS NULL THEN
    RAISE EXCEPTION 'append_messages: there is no kind %', of_kind USING ERRCODE = 'invalid_parameter_value';
  END IF;

  -- Fresh is what is not in the table and the first of its like in this call; the fresh are numbered in order.
  WITH asking AS (
    SELECT nth, blob_part(topics, topic_bounds, nth) AS topic, substring(digests FROM nth * 32 - 31 FOR 32) AS digest
    FROM generate_series(1, asked) AS nth
  ), judged AS (
    SELECT nth, topic, digest, found.known,
      found.known IS NULL AND row_number() OVER (PARTITION BY topic, digest ORDER BY nth) = 1 AS is_fresh
    FROM asking LEFT JOIN LATERAL (
      -- Equality, written so that only the unique index gives the order asked for without a sort. With `=` the
      -- planner may take the smaller index on (topic, id), and read a whole topic for every message published to it.
      SELECT m.id AS known FROM messages AS m
      WHERE m.topic = asking.topic AND m.digest >= asking.digest AND m.digest <= asking.digest
      ORDER BY m.digest LIMIT 1
    ) AS found ON true
  ), numbered AS (
    SELECT nth, topic, digest, known, is_fresh,
      CASE WHEN is_fresh THEN before + count(*) FILTER (WHERE is_fresh) OVER (ORDER BY nth) END AS given
    FROM judged
  ), answered AS (
    SELECT nth, is_fresh, coalesce(known, min(given) OVER (PARTITION BY topic, digest)) AS answer FROM numbered
  )
  SELECT array_agg(answer ORDER BY nth), array_agg(is_fresh ORDER BY nth) INTO ids, freshness FROM answered;

  INSERT INTO messages (id, created_ns, kind, arm, topic, digest, body)
  SELECT ids[nth], stamp_ns, of_kind, arms[nth],
    blob_part(topics, topic_bounds, nth), substring(digests FROM nth * 32 - 31 FOR 32), blob_part(bodies, body_bounds, nth)
  FROM generate_series(1, asked) AS nth
  WHERE freshness[nth];
  GET DIAGNOSTICS stored = ROW_COUNT;

  IF stored < asked THEN
    UPDATE sequences SET last = before + stored WHERE kind = of_kind;
  END IF;
  IF stored > 0 THEN
    -- One per call: commits that notify wait for each other across the whole server.
    PERFORM pg_notify('tideline', of_kind || ':' || before + stored);
  END IF;
  RETURN QUERY SELECT ids[nth], freshness[nth] FROM generate_series(1, asked) AS nth;
END
$$;
