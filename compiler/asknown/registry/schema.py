"""The tables of a registry, and the numbers that tell one from other SQLite files."""

from __future__ import annotations

APPLICATION_ID = 0x61736B52  # "askR"
LAYOUT = 6

# Revisions make a chain: the first one's parent is 0, and no two have one parent, so the tables themselves refuse a
# fork. Objects and revisions are never changed. The rest holds each project's newest state, and is written again with
# every revision.
TABLES = """
create table project (
    name text primary key,
    head integer not null
) strict;

create table object (
    hash text primary key,
    kind text not null,
    body text not null
) strict;

create table revision (
    project text not null,
    n integer not null,
    parent integer not null,
    kind text not null check (kind in ('apply', 'rollback')),
    at text not null,
    author text not null,
    git_commit text,
    git_dirty integer,
    asknown text not null,
    sqlglot text not null,
    target text not null,
    dialect text not null,
    message text not null,
    changes text not null,
    manifest text not null references object (hash),
    primary key (project, n),
    unique (project, parent),
    check (n = parent + 1)
) strict;

create table version (
    project text not null,
    view text not null,
    v integer not null,
    hash text not null references object (hash),
    revision integer not null,
    primary key (project, view, v)
) strict;

create table view (
    project text not null,
    name text not null,
    version integer not null,
    entity text not null,
    keys text not null,
    event_time text not null,
    known_at text,
    ttl integer,
    online integer not null,
    owner text not null,
    tags text not null,
    description text not null,
    hash text not null,
    primary key (project, name)
) strict;

create table feature (
    project text not null,
    view text not null,
    name text not null,
    version integer not null,
    place integer not null,
    type text not null,
    description text not null,
    sql text not null,
    fingerprint text not null,
    rows text not null,
    tie_order text,
    since integer not null,
    primary key (project, view, name)
) strict;

create table service (
    project text not null,
    name text not null,
    description text not null,
    features text not null,
    primary key (project, name)
) strict;

create virtual table search using fts5 (
    name, view, description, tags, sql, owner unindexed, project unindexed,
    tokenize = 'porter unicode61', prefix = '2 3'
);

create trigger object_stays before update on object begin select raise(abort, 'objects never change'); end;
create trigger object_kept before delete on object begin select raise(abort, 'objects never go'); end;
create trigger revision_stays before update on revision begin select raise(abort, 'revisions never change'); end;
create trigger revision_kept before delete on revision begin select raise(abort, 'revisions never go'); end;
"""

# What was done with the features: loads of the online table, and training sets. Of layout 2.
RUNS = """
create table run (
    id integer primary key,
    project text not null,
    kind text not null check (kind in ('load', 'train')),
    views text not null,
    at text not null,
    author text not null,
    target text not null,
    rows integer not null,
    watermark text,
    features text not null,
    spine text not null,
    path text not null,
    digest text
) strict;

create index run_of_project on run (project, id);
"""
# Who uses which version of a view of another project, as each project's newest state says. Of layout 3.
PINS = """
create table pin (
    project text not null,
    kind text not null,
    name text not null,
    owner text not null,
    of_project text not null,
    view text not null,
    v integer not null,
    features text,
    primary key (project, kind, name, of_project, view, v)
) strict;

create index pin_of_view on pin (of_project, view);
"""
# The part of its sources that a load read, in words. Of layout 4.
READ = """
alter table run add column read text;
"""
# A hash of the SQL that makes each feature of the newest state, without the feature's name. Of layout 5.
MEANINGS = """
create table meaning (
    project text not null,
    view text not null,
    feature text not null,
    hash text not null,
    primary key (project, view, feature)
) strict;

create index meaning_of_hash on meaning (hash);
"""
# The newest result of each check of each view. Of layout 6.
RESULTS = """
create table result (
    project text not null,
    kind text not null,
    view text not null,
    outcome text not null check (outcome in ('ok', 'act')),
    said text not null,
    at text not null,
    author text not null,
    target text not null,
    primary key (project, kind, view)
) strict;
"""
# The tables and columns that each layout added to the one before, by its number.
STEPS = {1: TABLES, 2: RUNS, 3: PINS, 4: READ, 5: MEANINGS, 6: RESULTS}

# Fills the table ``search`` of a database that has features and views, but no index yet.
SEARCH = """
insert into search (name, view, description, tags, sql, owner, project)
select f.name, f.view, f.description, v.tags, f.sql, v.owner, f.project
from feature f join view v on v.project = f.project and v.name = f.view
"""
