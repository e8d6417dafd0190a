-- Who is who: the log of each inbox's changes, what it amounts to, and which inbox an identifier belongs to. And what
-- installations leave for others: their newest key package, and what they say of their groups' commits.

-- Counters of logs that are no messages. As with those of messages (0001), the row is locked until the commit, so that
-- ids come without holes and in commit order: whoever has seen id n never meets n - 1 afterwards.
CREATE TABLE log_sequences (
  log text PRIMARY KEY,
  -- The newest id ever given; 0 before the first.
  last bigint NOT NULL CHECK (last >= 0)
) WITH (fillfactor = 10, vacuum_truncate = off);

INSERT INTO log_sequences (log, last) VALUES ('identity', 0), ('commit', 0);

-- The log of all inboxes. Whoever reads it asks for one inbox from an id on, and there is no other index that could
-- mislead the planner: with one on the id alone it would read all that came since for the few that are wanted.
CREATE TABLE identity_updates (
  id bigint NOT NULL CHECK (id > 0),
  inbox_id text COLLATE "C" NOT NULL,
  -- Nanoseconds since 1970, by the wall clock of the node that stored it.
  created_ns bigint NOT NULL,
  -- The encoded IdentityUpdate.
  body bytea NOT NULL CHECK (octet_length(body) <= 4194304),
  PRIMARY KEY (inbox_id, id)
);

-- What the log of an inbox amounts to. An update is judged by this row, and stored only if the row has not changed since:
-- so of two updates that are judged at the same time the second is judged again.
CREATE TABLE inboxes (
  inbox_id text COLLATE "C" PRIMARY KEY CHECK (inbox_id ~ '^[0-9a-f]{64}$'),
  -- The id of the newest update in it.
  version bigint NOT NULL,
  -- How many updates are in it.
  updates integer NOT NULL,
  -- The folded state, encoded.
  state bytea NOT NULL
);

-- Which inboxes an identifier is a member of now. Installations are not among them: nobody asks for theirs.
CREATE TABLE identifiers (
  -- A number of IdentifierKind, never 0.
  kind smallint NOT NULL CHECK (kind > 0),
  -- In lower case: an address with 0x, or the hex of a passkey.
  identifier text COLLATE "C" NOT NULL CHECK (octet_length(identifier) BETWEEN 1 AND 1024),
  inbox_id text COLLATE "C" NOT NULL,
  -- The update that let it in.
  id bigint NOT NULL,
  PRIMARY KEY (kind, identifier, inbox_id)
);

-- The newest inbox of an identifier: somebody may be in many.
CREATE INDEX identifiers_newest ON identifiers (kind, identifier, id);

-- Stores an identity update if its inbox is still at the version it was judged by (0: not there yet), and answers
-- with its id; or, if this very update was stored since then, with the id it has: a call whose answer was lost may be
-- made again. Otherwise, when another one came first, answers NULL and changes nothing.
--
-- Call it as one autocommit statement: the lock on the counter is held to the commit.
CREATE FUNCTION append_identity_update(
  of_inbox text,
  judged_by bigint,
  stamp_ns bigint,
  update_body bytea,
  new_state bytea,
  added_kinds smallint[],
  added text[],
  removed_kinds smallint[],
  removed text[]
) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  given bigint;
BEGIN
  -- First of all the lock: whoever held it before has committed when the next statement begins.
  UPDATE log_sequences SET last = last + 1 WHERE log = 'identity' RETURNING last INTO STRICT given;
  IF judged_by = 0 THEN
    INSERT INTO inboxes (inbox_id, version, updates, state) VALUES (of_inbox, given, 1, new_state)
    ON CONFLICT (inbox_id) DO NOTHING;
  ELSE
    UPDATE inboxes SET version = given, updates = updates + 1, state = new_state
    WHERE inbox_id = of_inbox AND version = judged_by;
  END IF;
  IF NOT FOUND THEN
    UPDATE log_sequences SET last = last - 1 WHERE log = 'identity';
    RETURN (
      SELECT u.id FROM identity_updates AS u
      WHERE u.inbox_id = of_inbox AND u.id > judged_by AND u.body = update_body ORDER BY u.id LIMIT 1
    );
  END IF;
  INSERT INTO identity_updates (id, inbox_id, created_ns, body) VALUES (given, of_inbox, stamp_ns, update_body);
  DELETE FROM identifiers AS i USING unnest(removed_kinds, removed) AS gone (kind, identifier)
  WHERE i.kind = gone.kind AND i.identifier = gone.identifier AND i.inbox_id = of_inbox;
  INSERT INTO identifiers (kind, identifier, inbox_id, id)
  SELECT come.kind, come.identifier, of_inbox, given FROM unnest(added_kinds, added) AS come (kind, identifier)
  ON CONFLICT (kind, identifier, inbox_id) DO UPDATE SET id = excluded.id;
  RETURN given;
END
$$;

-- The newest key package of each installation.
CREATE TABLE key_packages (
  installation_key bytea PRIMARY KEY CHECK (octet_length(installation_key) BETWEEN 1 AND 1023),
  created_ns bigint NOT NULL,
  -- A bare MLS KeyPackage.
  body bytea NOT NULL CHECK (octet_length(body) <= 4194304)
);

ALTER TABLE key_packages ALTER COLUMN body SET STORAGE EXTERNAL;

-- What members say of the commits of their groups. The key is as in identity_updates, for the same reason.
CREATE TABLE commit_log (
  id bigint NOT NULL CHECK (id > 0),
  group_id bytea NOT NULL CHECK (octet_length(group_id) BETWEEN 1 AND 1023),
  created_ns bigint NOT NULL,
  -- The encoded CommitLogEntry without its sequence_id.
  body bytea NOT NULL CHECK (octet_length(body) <= 4194304),
  PRIMARY KEY (group_id, id)
);

-- Appends entries to the commit logs of groups, all or none, in the order given. A call whose answer was lost may be made
-- again: it says the same at the same time, and then nothing is stored.
--
-- Call it as one autocommit statement: the lock on the counter is held to the commit.
CREATE FUNCTION append_commit_log(stamp_ns bigint, groups bytea[], bodies bytea[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  before bigint;
BEGIN
  UPDATE log_sequences SET last = last + cardinality(groups) WHERE log = 'commit'
  RETURNING last - cardinality(groups) INTO STRICT before;
  IF EXISTS (
    SELECT FROM (
      -- An answer is missed within seconds: so many newer entries of one group there are not.
      SELECT c.created_ns, c.body FROM commit_log AS c WHERE c.group_id = groups[1] ORDER BY c.id DESC LIMIT 1000
    ) AS newest
    WHERE newest.created_ns = stamp_ns AND newest.body = bodies[1]
  ) THEN
    UPDATE log_sequences SET last = before WHERE log = 'commit';
    RETURN;
  END IF;
  INSERT INTO commit_log (id, group_id, created_ns, body)
  SELECT before + nth, groups[nth], stamp_ns, bodies[nth] FROM generate_series(1, cardinality(groups)) AS nth;
END
$$;
