package etcdstore

import (
	"cmp"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/etcd"
)

// Options tune a store. The zero value works.
type Options struct {
	// Prefix precedes every key, so that a cluster can be shared; use a path such as "/eu".
	// A trailing slash makes no difference. Empty is the root.
	Prefix string
	// WatchClient, if not nil, makes the watches, so that they have a connection of their
	// own: a large read on a shared connection delays its watches.
	WatchClient *clientv3.Client
	// CallTimeout bounds one request to etcd; default 3 s. A request that exceeds it is
	// retried until its operation ends.
	CallTimeout time.Duration
	// OperationTimeout bounds a write, and each page of a read, whose caller set no
	// deadline; default 15 s. A caller's own deadline replaces it.
	OperationTimeout time.Duration
	// ProbeInterval is how long a watch may be idle before the store checks that it is
	// alive, and how long etcd then has to respond before the watch is reopened; default
	// 2 s. Bookmarks have the same interval.
	ProbeInterval time.Duration
	// NoCache keeps no copy of the records: every read and the base of every write come
	// from etcd, and each Watch has an etcd watch of its own.
	NoCache bool
	// FreshTimeout is how long a linearizable read waits for the cache before it reads from
	// etcd instead; default 250 ms.
	FreshTimeout time.Duration
	// MaxLogChanges is how many recent changes the store keeps for the subscribers of its
	// watches; default 16384. A subscriber that is further behind reads from etcd.
	MaxLogChanges int
	// ConsistencyInterval is about how often the cache is compared with etcd; default 5 min.
	ConsistencyInterval time.Duration
	// NoGroupCommit sends every write to etcd in a request of its own.
	NoGroupCommit bool
	// Families are further families of keys below Prefix; Check reports their values that cannot be read.
	Families []etcd.FamilyCheck
	// Logger reports reconnected watches and retries; nil discards them.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	positiveOr := func(d, byDefault time.Duration) time.Duration { return cmp.Or(max(d, 0), byDefault) }
	o.CallTimeout = positiveOr(o.CallTimeout, 3*time.Second)
	o.OperationTimeout = positiveOr(o.OperationTimeout, 15*time.Second)
	o.ProbeInterval = positiveOr(o.ProbeInterval, 2*time.Second)
	o.FreshTimeout = positiveOr(o.FreshTimeout, 250*time.Millisecond)
	o.MaxLogChanges = cmp.Or(max(o.MaxLogChanges, 0), 16_384)
	o.ConsistencyInterval = positiveOr(o.ConsistencyInterval, 5*time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
