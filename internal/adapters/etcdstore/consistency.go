package etcdstore

import (
	"context"
	"errors"
	"math/rand/v2"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/wait"
)

// errInconsistent invalidates a cache that differs from etcd.
var errInconsistent = errors.New("the cache differs from etcd")

// consistencyLoop periodically compares the cache with etcd until ctx ends. A difference is a
// bug: it is logged and counted, and the cache is filled from etcd.
func (r *reflector) consistencyLoop(ctx context.Context) {
	defer r.loops.Done()
	for {
		// Random, so that the daemons of a cluster do not all read at once.
		if wait.For(ctx, r.consistencyInterval/2+rand.N(r.consistencyInterval)) != nil {
			return
		}
		if err := r.checkConsistency(ctx); err != nil {
			r.logger.Debug("the cache was not compared with etcd", "error", err)
		}
	}
}

// checkConsistency compares every record of the cache with etcd at the revision of the cache,
// and invalidates the cache if they differ. The error is why they could not be compared: the
// cache is not synced, etcd did not respond or has compacted the revision.
func (r *reflector) checkConsistency(ctx context.Context) error {
	cached := r.cache.Snapshot()
	if cached == nil {
		return errNotSynced
	}
	family := r.keys.Records()
	seen, difference := 0, ""
	_, err := r.etcd.Scan(ctx, family, family, cached.Revision, func(_ int64, kvs []*mvccpb.KeyValue) (bool, error) {
		for _, kv := range kvs {
			seen++
			stored := recordcache.NewRecord(r.keys, kv)
			if record := cached.Get(stored.Segment); record == nil || !record.Equal(stored) {
				difference = string(kv.GetKey())
				return false, nil
			}
		}
		return true, nil
	})
	if errors.Is(err, runtime.ErrForeignRevision) {
		return nil // the revision of etcd went back, which the next linearizable read detects
	}
	if err != nil {
		return err
	}
	r.counters.consistencyChecks.Add(1)
	if difference == "" && seen != cached.Len() {
		difference = "a key that etcd does not have"
	}
	if difference != "" {
		r.counters.differences.Add(1)
		r.logger.Error("the cache differs from etcd and is refilled; this is a bug, please report it", "key", difference, "revision", cached.Revision)
		r.invalidate(errInconsistent)
	}
	return nil
}
