package config

import (
	"cmp"
	"fmt"

	"github.com/spf13/pflag"
)

// Limits is the part of Config that bounds what one caller can use of the API. A caller is a
// proven identity, or an address without one: an IPv4 address, or an IPv6 network of 64
// bits. Daemons and probes have no limits. For each field, 0 means the default and -1 no
// limit. The default is no limit while callers need not prove their identity.
type Limits struct {
	// LimitRate and LimitWriteRate are the reads and the writes of a second. A caller may
	// send those of two seconds at once. Default 5000 and 2000.
	LimitRate, LimitWriteRate int64
	// LimitConcurrency is the number of requests in progress, without watch streams. Default
	// 1000.
	LimitConcurrency int64
	// LimitStreams is the number of open watch streams. Default 1000.
	LimitStreams int64
	// LimitConnections is the number of open connections of one address. Default half of all
	// that the API accepts.
	LimitConnections int64
}

// noLimit is the value of a limit that does not apply.
const noLimit = -1

// The defaults of limits with authentication. One client that sends its requests one after
// the other does not exceed them for long; together they are a part of what a daemon can do.
const (
	defaultReadRate  = 5000
	defaultWriteRate = 2000
	// defaultConcurrency is also the number of streams.
	defaultConcurrency = 1000
)

func (l *Limits) bindLimits(f *pflag.FlagSet) {
	usage := func(what string, usual int64) string {
		return fmt.Sprintf("`NUMBER` of %s of one caller (0: %d with authentication, none without; -1: none)", what, usual)
	}
	f.Int64Var(&l.LimitRate, "limit-rate", l.LimitRate, usage("reads per second", defaultReadRate))
	f.Int64Var(&l.LimitWriteRate, "limit-write-rate", l.LimitWriteRate, usage("writes per second", defaultWriteRate))
	f.Int64Var(&l.LimitConcurrency, "limit-concurrency", l.LimitConcurrency, usage("concurrent requests", defaultConcurrency))
	f.Int64Var(&l.LimitStreams, "limit-streams", l.LimitStreams, usage("watch streams", defaultConcurrency))
	f.Int64Var(&l.LimitConnections, "limit-connections", l.LimitConnections, "`NUMBER` of connections of one address (0: half of all with authentication, none without; -1: none)")
}

func (l Limits) validateLimits() error {
	var v violations
	for flag, limit := range map[string]int64{
		"--limit-rate": l.LimitRate, "--limit-write-rate": l.LimitWriteRate, "--limit-concurrency": l.LimitConcurrency,
		"--limit-streams": l.LimitStreams, "--limit-connections": l.LimitConnections,
	} {
		v.addIf(limit < noLimit, "%s %d is negative; use -1 for no limit", flag, limit)
	}
	return v.join()
}

// EffectiveLimits returns the limits with their defaults; 0 is no limit. connections is the
// number of connections that the API accepts.
func (c Config) EffectiveLimits(connections int64) Limits {
	effective := func(limit, usual int64) int64 {
		if !c.AuthEnabled() {
			usual = noLimit
		}
		return max(cmp.Or(limit, usual), 0)
	}
	return Limits{
		LimitRate: effective(c.LimitRate, defaultReadRate), LimitWriteRate: effective(c.LimitWriteRate, defaultWriteRate),
		LimitConcurrency: effective(c.LimitConcurrency, defaultConcurrency), LimitStreams: effective(c.LimitStreams, defaultConcurrency),
		LimitConnections: effective(c.LimitConnections, max(connections/2, 1)),
	}
}
