-- Nix's database, schema 10.
-- Source: Nix 2.26, libstore/schema.sql; the columns and names are the format.

CREATE TABLE IF NOT EXISTS ValidPaths (
    id               INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    path             TEXT UNIQUE NOT NULL,
    hash             TEXT NOT NULL,     -- "sha256:" and 64 hex digits: the NAR's hash
    registrationTime INTEGER NOT NULL,  -- seconds since the epoch
    deriver          TEXT,
    narSize          INTEGER,           -- bytes
    ultimate         INTEGER,           -- 1: built here; null: not
    sigs             TEXT,              -- "name:base64", separated by spaces
    ca               TEXT               -- how the path follows from the content, or null
);

CREATE TABLE IF NOT EXISTS Refs (
    referrer  INTEGER NOT NULL,
    reference INTEGER NOT NULL,
    PRIMARY KEY (referrer, reference),
    FOREIGN KEY (referrer) REFERENCES ValidPaths(id) ON DELETE CASCADE,
    FOREIGN KEY (reference) REFERENCES ValidPaths(id) ON DELETE RESTRICT
);

CREATE INDEX IF NOT EXISTS IndexReferrer ON Refs(referrer);
CREATE INDEX IF NOT EXISTS IndexReference ON Refs(reference);

-- A path that refers to itself could not be deleted under the last constraint.
CREATE TRIGGER IF NOT EXISTS DeleteSelfRefs BEFORE DELETE ON ValidPaths
  BEGIN
    DELETE FROM Refs WHERE referrer = old.id AND reference = old.id;
  END;

CREATE TABLE IF NOT EXISTS DerivationOutputs (
    drv  INTEGER NOT NULL,
    id   TEXT NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (drv, id),
    FOREIGN KEY (drv) REFERENCES ValidPaths(id) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS IndexDerivationOutputs ON DerivationOutputs(path);
