//! What Redis does at once, as it runs scripts one after the other.

/// Keeps cutoffs. Redis 6.2 or newer, for `ZADD … GT`.
///
/// `KEYS`: cutoffs by the time until which tokens were issued; the same of whole issuers; the changes, a stream; the number
/// of the last change; the name of this memory. `ARGV`: for how many seconds cutoffs are kept; how many of them; how many
/// changes; a name for this memory, if it has none; then each cutoff and its time.
///
/// 1. What is older than any token can be goes. The time is that of Redis: instances may have a wrong one.
/// 2. A cutoff that changes nothing is no change, so that all instances may say the same.
/// 3. Where there are too many, the oldest one goes, and everything of its issuer is refused that was issued until then:
///    more is refused, and never less.
pub(super) const PUT: &str = r"
local kept, whole, changes, number, memory = unpack(KEYS)
local oldest_token = tonumber(redis.call('TIME')[1]) - tonumber(ARGV[1])
redis.call('SET', memory, ARGV[4], 'NX')
for _, set in ipairs({kept, whole}) do
  redis.call('ZREMRANGEBYSCORE', set, '-inf', string.format('(%d', oldest_token))
end
for i = 5, #ARGV, 2 do
  local cutoff, time = ARGV[i], ARGV[i + 1]
  local set = string.sub(cutoff, 1, 4) == 'all ' and whole or kept
  if redis.call('ZADD', set, 'GT', 'CH', time, cutoff) == 1 then
    local change = string.format('%d-0', redis.call('INCR', number))
    redis.call('XADD', changes, 'MAXLEN', '~', ARGV[3], change, cutoff, time)
  end
end
while redis.call('ZCARD', kept) > tonumber(ARGV[2]) do
  local oldest = redis.call('ZPOPMIN', kept)
  local length, names = string.match(oldest[1], '^%l+ (%d+) (.*)$')
  local issuer = string.sub(names, 1, tonumber(length))
  redis.call('ZADD', whole, 'GT', oldest[2], 'all ' .. length .. ' ' .. issuer .. ' ')
end
return 1
";

/// Counts refusals. Each counts for a time, one after the other; a key goes when its time is over.
///
/// `KEYS`: the senders. `ARGV`, for each of them: how many refusals, how long each counts, how long all of them count at
/// most. All times are in microseconds. The answers are the times until nothing counts any more.
pub(super) const COUNT_FAILURES: &str = r"
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local answers = {}
for i, key in ipairs(KEYS) do
  local count, each, most = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local over_at = math.max(tonumber(redis.call('GET', key) or 0), now) + count * each
  local left = math.min(over_at - now, most)
  redis.call('SET', key, string.format('%.0f', now + left), 'PX', math.ceil(left / 1000))
  answers[i] = left
end
return answers
";
