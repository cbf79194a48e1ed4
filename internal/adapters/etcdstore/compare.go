package etcdstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/runtime"
)

// errDiffers takes a cache out of use that does not hold what etcd does.
var errDiffers = errors.New("the cache differs from etcd")

// compareForever holds the cache against etcd from time to time, for as long as
// the store is open. No difference is expected, ever; one that is found is
// logged and counted, and the cache is filled anew.
func (f *feed) compareForever(ctx context.Context) {
	defer close(f.compared)
	for {
		// Spread, so that the daemons of a cluster do not all read at once.
		wait := time.NewTimer(f.store.opts.CompareInterval/2 + rand.N(f.store.opts.CompareInterval))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return
		}
		if err := f.compare(ctx); err != nil {
			f.store.log.Debug("the cache was not compared with etcd", "error", err)
		}
	}
}

// compare holds every record of the cache against etcd's at the revision where
// the cache stands, and distrusts the cache where they differ. The error says why
// nothing could be said: the cache is not filled, etcd did not answer or has
// forgotten the revision.
func (f *feed) compare(ctx context.Context) error {
	records := f.cache.snapshot()
	if records == nil {
		return errNotFilled
	}
	keys := f.store.keys
	family := keys.Records()
	met, different := 0, ""
	_, err := f.store.scan(ctx, family, family, records.revision, func(_ int64, kvs []*mvccpb.KeyValue) (bool, error) {
		for _, kv := range kvs {
			met++
			theirs := newEntry(keys, kv)
			if ours := records.get(theirs.segment); ours == nil || !ours.same(theirs) {
				different = string(kv.GetKey())
				return false, nil
			}
		}
		return true, nil
	})
	if errors.Is(err, runtime.ErrForeignRevision) {
		return nil // etcd has gone back, which the next consistent answer shows to everybody
	}
	if err != nil {
		return err
	}
	f.store.count.comparisons.Add(1)
	if different == "" && met != records.byKey.Len() {
		different = "one that etcd does not have"
	}
	if different != "" {
		f.store.count.differences.Add(1)
		f.store.log.Error("the cache differs from etcd and is filled anew; this is a defect, please report it", "key", different, "revision", records.revision)
		f.distrust(errDiffers)
	}
	return nil
}

// distrust takes the cache out of use at once and has it filled anew. Anybody may
// call it.
func (f *feed) distrust(why error) {
	// The hub first: what the watch still brings is told against records that are
	// not there any more, and nobody must hear that.
	f.hub.interrupt(false)
	f.cache.forget()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.distrusted = why
	if f.up != nil {
		f.up.cancel()
	}
}

// takeDistrust returns why the cache has been distrusted since it was last asked,
// nil if it has not.
func (f *feed) takeDistrust() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	why := f.distrusted
	f.distrusted = nil
	return why
}
