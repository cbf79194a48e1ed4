package etcd

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Bounds of the pages of a scan, so that no response grows with the number of keys. The
// first page is small because many scans need no more. Later pages grow towards scanBytes as
// fast as the line permits: etcd counts all remaining keys for every page, so small pages of a
// large family are slow, and their time is mostly not that of the line.
const (
	firstScanPage = 500
	maxScanPage   = 50_000
	scanBytes     = 16 << 20
	// maxPageGrowth is by how much a page is larger than the last one at most.
	maxPageGrowth = 8
	// pagesPerTimeout is how many pages should take as long as CallTimeout.
	pagesPerTimeout = 6
	// timeoutShrink is by how much a page is smaller after a try that timed out.
	timeoutShrink = 4
	// maxCountTime bounds the time per key that a page may spend on counting the remaining ones.
	maxCountTime = 2 * time.Microsecond
	// maxCompactedPage bounds the growth of pages after compactions.
	maxCompactedPage = 4 * maxScanPage
)

// PageFunc receives one page of a scan. It returns false to end the scan.
type PageFunc func(revision int64, kvs []*mvccpb.KeyValue) (more bool, err error)

// ScanRange selects the keys of a scan.
type ScanRange struct {
	// Family is the prefix of the keys, From the first key, which starts with the prefix.
	Family, From string
	// Revision is the revision of the scan; 0 is the current one.
	Revision int64
	// Enough is the number of keys after which the caller ends the scan, 0 if it reads all.
	Enough int
	// KeysOnly omits the values.
	KeysOnly bool
	// Stream permits to read a large family as a stream, which is much faster. If the stream
	// breaks, the scan fails with runtime.ErrUnavailable, and the caller repeats it.
	Stream bool
}

// Scan reads the keys of a family in order, beginning with the key from, in pages at one
// revision: the given one, or that of the first page for 0. It returns that revision. It
// calls page for each page, and for the first one even if it is empty.
func (c *Client) Scan(ctx context.Context, family, from string, revision int64, page PageFunc) (int64, error) {
	return c.ScanRange(ctx, ScanRange{Family: family, From: from, Revision: revision}, page)
}

// ScanRange is Scan for a caller that may not need all keys.
//
// The pages adapt to the line: the next one is smaller after a try that timed out, and larger
// after a fast one. After a compaction of its revision, the pages of the next scan are larger,
// so that it needs fewer of them.
func (c *Client) ScanRange(ctx context.Context, keys ScanRange, page PageFunc) (int64, error) {
	s := &scan{client: c, keysOnly: keys.KeysOnly, end: PrefixEnd(keys.Family), revision: keys.Revision, enough: int64(keys.Enough)}
	s.limit = s.bound(max(firstScanPage, c.scanFloor.Load(), s.enough))
	for from := keys.From; ; {
		resp, err := s.read(ctx, from)
		if errors.Is(err, runtime.ErrCompacted) {
			c.scanFloor.grow(s.limit)
		}
		if err != nil {
			return 0, err
		}
		if s.revision == 0 {
			// Only the first response names the revision of the scan: the header of a read
			// at a given revision names the newest one instead.
			s.revision = resp.Header.GetRevision()
		}
		s.enough -= int64(len(resp.Kvs))
		more, err := page(s.revision, resp.Kvs)
		if err != nil || !more || !resp.More {
			return s.revision, err
		}
		from = KeyAfter(string(resp.Kvs[len(resp.Kvs)-1].GetKey()))
		if keys.Stream && resp.Count-int64(len(resp.Kvs)) >= minStreamedKeys && c.streams.isOpen() {
			keys.Stream = false
			if err := s.stream(ctx, from, page); !errors.Is(err, errStreamUnused) {
				return s.revision, err
			}
		}
	}
}

// scan is the state of one scan.
type scan struct {
	client   *Client
	end      string
	revision int64 // 0 before the first page
	limit    int64 // of the next page
	keysOnly bool
	// countTime is the least time per remaining key that a page took; 0 before the first one.
	countTime time.Duration
	enough    int64 // keys that the caller still needs; 0 or less if that is not known
}

// read reads the page that begins with the key from.
func (s *scan) read(ctx context.Context, from string) (*clientv3.GetResponse, error) {
	return RetryRead(ctx, s.client, func(ctx context.Context) (*clientv3.GetResponse, error) {
		startedAt := time.Now()
		options := []clientv3.OpOption{clientv3.WithRange(s.end), clientv3.WithLimit(s.limit), clientv3.WithRev(s.revision)}
		if s.keysOnly {
			options = append(options, clientv3.WithKeysOnly())
		}
		resp, err := s.client.Raw.Get(ctx, from, options...)
		switch {
		case err == nil:
			s.limit = s.nextLimit(resp, time.Since(startedAt))
		case ctx.Err() != nil:
			s.limit = max(s.limit/timeoutShrink, 1)
		}
		return resp, err
	})
}

// nextLimit returns the number of keys of the next page, given the last one and how long it
// took. It subtracts the time to count the remaining keys, which does not depend on the page:
// otherwise it would make pages of a large family ever smaller.
func (s *scan) nextLimit(resp *clientv3.GetResponse, took time.Duration) int64 {
	last := resp.Kvs
	if len(last) == 0 {
		return s.limit
	}
	bytes := 1
	for _, kv := range last {
		bytes += len(kv.GetKey()) + len(kv.GetValue())
	}
	perKey := min(took/time.Duration(max(resp.Count, 1)), maxCountTime)
	if s.countTime == 0 || perKey < s.countTime {
		s.countTime = perKey
	}
	took -= s.countTime * time.Duration(resp.Count)
	target := s.client.CallTimeout() / pagesPerTimeout
	growth := min(float64(target)/float64(max(took, time.Microsecond)), maxPageGrowth)
	byTime := int64(float64(len(last)) * growth)
	bySize := int64(scanBytes * len(last) / bytes)
	return s.bound(max(min(byTime, bySize, maxScanPage), s.client.scanFloor.Load(), 1))
}

// bound limits a page to the keys that the caller still needs.
func (s *scan) bound(limit int64) int64 {
	if s.enough > 0 {
		return min(limit, s.enough)
	}
	return limit
}

// floorTTL is how long a compaction makes the pages of scans larger.
const floorTTL = time.Minute

// scanFloor is the least number of keys of the pages of a scan. It grows while compactions end
// scans, and decides how large the pages of the next scans are. It is safe for concurrent use.
type scanFloor struct {
	mu    sync.Mutex
	keys  int64
	until time.Time
}

// Load returns the floor, 0 for none.
func (f *scanFloor) Load() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Now().After(f.until) {
		return 0
	}
	return f.keys
}

// grow sets the floor after a compaction has ended a scan with pages of the limit.
func (f *scanFloor) grow(limit int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys, f.until = min(maxPageGrowth*max(limit, firstScanPage), maxCompactedPage), time.Now().Add(floorTTL)
}
