package etcdstore

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// Bounds of the pages of a scan, so that no response grows with the store. The
// first one is small, since many a scan needs no more. Those that follow are as
// many keys as take some scanBytes: etcd counts for every page all keys that are
// still to come, which makes small pages of a large store dear.
const (
	scanPage    = 500
	maxScanPage = 50_000
	scanBytes   = 16 << 20
)

// scan reads the keys of a family from the given one on, in order, in pages
// that all stand at one revision: the given one, or for 0 that of the first
// page. It returns that revision. page is called for each page, the first one
// even if it is empty, and says whether to go on.
func (s *Store) scan(ctx context.Context, family, from string, revision int64, page func(revision int64, kvs []*mvccpb.KeyValue) (more bool, err error)) (int64, error) {
	for limit := int64(scanPage); ; {
		resp, err := s.etcd.Get(ctx, from, clientv3.WithRange(etcd.PrefixEnd(family)), clientv3.WithLimit(limit), clientv3.WithRev(revision))
		if err != nil {
			return 0, err
		}
		if revision == 0 {
			// Only the first answer tells where the scan stands: the header of a
			// read at a given revision carries the newest one instead.
			revision = resp.Header.GetRevision()
		}
		more, err := page(revision, resp.Kvs)
		if err != nil || !more || !resp.More {
			return revision, err
		}
		from = etcd.KeyAfter(string(resp.Kvs[len(resp.Kvs)-1].GetKey()))
		limit = nextScanPage(resp.Kvs)
	}
}

// nextScanPage returns how many keys the next page has, by what the last one was.
func nextScanPage(last []*mvccpb.KeyValue) int64 {
	bytes := 1
	for _, kv := range last {
		bytes += len(kv.GetKey()) + len(kv.GetValue())
	}
	return int64(min(max(scanBytes*len(last)/bytes, 1), maxScanPage))
}

// readTries is how often a read as of now is begun at most.
const readTries = 5

// asOfNow runs a read that takes several requests at one revision of its own
// choice, and begins anew when compaction has overtaken it: its caller named no
// revision that could be too old.
func asOfNow[T any](ctx context.Context, ask func(ctx context.Context) (T, error)) (T, error) {
	pause := etcd.NewBackoff()
	for try := 1; ; try++ {
		answer, err := ask(ctx)
		if !errors.Is(err, runtime.ErrCompacted) {
			return answer, err
		}
		if try == readTries || !pause.Wait(ctx) {
			return answer, etcd.Unavailable(ctx, err)
		}
	}
}
