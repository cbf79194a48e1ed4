package etcdconn

import (
	"cmp"
	"log/slog"
	"time"

	"galaxy/rtmanager/internal/tlsfiles"
)

// Options are the settings of a Pool. Zero durations select the defaults.
type Options struct {
	// Endpoints are the client URLs of the members: all http, or all https.
	Endpoints []string
	// TLS verifies https endpoints, and proves the identity of this client to them.
	TLS tlsfiles.Client
	// User is the name of the user; empty means no authentication. PasswordFile contains
	// its password, and is read whenever the user logs in.
	User, PasswordFile string
	// ProbeKey is a key that User may read. Whether it exists makes no difference.
	ProbeKey string
	// Logger reports endpoints that fail and recover; nil discards.
	Logger *slog.Logger

	// ProbeInterval is the time between two probes of an endpoint; default 1 s.
	ProbeInterval time.Duration
	// ProbeTimeout bounds a probe; default 1 s. Eight round trips extend it.
	ProbeTimeout time.Duration
	// StableTime is how long a nearer endpoint must be healthy before streams move to it;
	// default 10 s.
	StableTime time.Duration
	// KeepaliveTime and KeepaliveTimeout are the interval of pings on an idle connection and
	// how long a ping may take; default 10 s and 3 s. Servers reject pings more often than
	// every 5 s.
	KeepaliveTime, KeepaliveTimeout time.Duration
	// MaxConnectDelay bounds the delay between two attempts to connect; default 1 s.
	MaxConnectDelay time.Duration
	// ConnectTimeout bounds one attempt to connect; default 3 s.
	ConnectTimeout time.Duration
}

func (o Options) withDefaults() Options {
	o.ProbeInterval = cmp.Or(o.ProbeInterval, time.Second)
	o.ProbeTimeout = cmp.Or(o.ProbeTimeout, time.Second)
	o.StableTime = cmp.Or(o.StableTime, 10*time.Second)
	o.KeepaliveTime = cmp.Or(o.KeepaliveTime, 10*time.Second)
	o.KeepaliveTimeout = cmp.Or(o.KeepaliveTimeout, 3*time.Second)
	o.MaxConnectDelay = cmp.Or(o.MaxConnectDelay, time.Second)
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 3*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
