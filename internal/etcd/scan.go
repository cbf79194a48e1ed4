package etcd

import (
	"context"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Bounds of the pages of a scan, so that no response grows with the number of keys. The
// first page is small because many scans need no more. Later pages have about scanBytes:
// etcd counts all remaining keys for every page, so small pages of a large family are slow.
const (
	firstScanPage = 500
	maxScanPage   = 50_000
	scanBytes     = 16 << 20
)

// PageFunc receives one page of a scan. It returns false to end the scan.
type PageFunc func(revision int64, kvs []*mvccpb.KeyValue) (more bool, err error)

// Scan reads the keys of a family in order, beginning with the key from, in pages at one
// revision: the given one, or that of the first page for 0. It returns that revision. It
// calls page for each page, and for the first one even if it is empty.
func (c *Client) Scan(ctx context.Context, family, from string, revision int64, page PageFunc) (int64, error) {
	for limit := int64(firstScanPage); ; {
		resp, err := c.Get(ctx, from, clientv3.WithRange(PrefixEnd(family)), clientv3.WithLimit(limit), clientv3.WithRev(revision))
		if err != nil {
			return 0, err
		}
		if revision == 0 {
			// Only the first response names the revision of the scan: the header of a read
			// at a given revision names the newest one instead.
			revision = resp.Header.GetRevision()
		}
		more, err := page(revision, resp.Kvs)
		if err != nil || !more || !resp.More {
			return revision, err
		}
		from = KeyAfter(string(resp.Kvs[len(resp.Kvs)-1].GetKey()))
		limit = nextPageLimit(resp.Kvs)
	}
}

// nextPageLimit returns the number of keys of the next page, given the last one.
func nextPageLimit(last []*mvccpb.KeyValue) int64 {
	bytes := 1
	for _, kv := range last {
		bytes += len(kv.GetKey()) + len(kv.GetValue())
	}
	return int64(min(max(scanBytes*len(last)/bytes, 1), maxScanPage))
}
