"""The Lua scripts: what must be one step on the server."""

from __future__ import annotations

from asknown.online.valkey.connect import make_script

COMMIT = make_script("""
-- KEYS: the lock of writers, the last token that was committed. ARGV: the token, then for each command the number of
-- its words, and these. Runs all commands if the lock still has the token, and gives the lock up; else answers 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local place, last = 2, #ARGV
while place <= last do
  local words = tonumber(ARGV[place])
  redis.call(unpack(ARGV, place + 1, place + words))
  place = place + words + 1
end
redis.call('SET', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[1])
return 1
""")

# A lock is written into no log and on no replica: that would take as long as a push itself. Where one is lost, its
# holder is refused at its commit.
_UNLOGGED = "redis.replicate_commands() redis.set_repl(redis.REPL_NONE)\n"

ACQUIRE = make_script(
    _UNLOGGED
    + """
-- KEYS: a lock, the last token that was committed. ARGV: a token, milliseconds, and tokens that this process has had
-- and uses no more. Takes the lock if it is free or has one of these. Answers whether it did, and the last token that
-- was committed.
local holder = redis.call('GET', KEYS[1])
local taken = not holder or holder == ARGV[1]
for place = 3, #ARGV do taken = taken or holder == ARGV[place] end
if taken then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return {taken and 1 or 0, redis.call('GET', KEYS[2]) or ''}
"""
)

RELEASE = make_script(
    _UNLOGGED
    + """
-- KEYS: a lock. ARGV: a token. Gives the lock up if it has the token.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
)

RENEW = make_script(
    _UNLOGGED
    + """
-- KEYS: a lock. ARGV: a token, milliseconds. Keeps the lock for so long if it has the token.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
)
