package etcd_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// streamedKeys is a number of keys for which scans use streams.
const streamedKeys = 11_000

// scanStream scans the family as a stream, and returns its keys. onPage is called for each page.
func (f scanFixture) scanStream(ctx context.Context, onPage func(page int) bool) (keys []string, err error) {
	pages := 0
	_, err = f.ScanRange(ctx, etcd.ScanRange{Family: f.family, From: f.family, Stream: true}, func(_ int64, kvs []*mvccpb.KeyValue) (bool, error) {
		for _, kv := range kvs {
			keys = append(keys, string(kv.GetKey()))
		}
		pages++
		return onPage(pages), nil
	})
	return keys, err
}

func toTheEnd(int) bool { return true }

func requireAllKeys(t *testing.T, keys []string) {
	t.Helper()
	require.Len(t, keys, streamedKeys)
	require.True(t, slices.IsSorted(keys))
	require.Len(t, slices.Compact(keys), streamedKeys, "no key twice")
}

// streams replaces the streams of a client.
type streams struct {
	clientv3.KV
	opened int
	open   func(ctx context.Context, key string, opts ...clientv3.OpOption) (clientv3.GetStreamChan, error)
}

func (s *streams) GetStream(ctx context.Context, key string, opts ...clientv3.OpOption) (clientv3.GetStreamChan, error) {
	s.opened++
	return s.open(ctx, key, opts...)
}

func TestScanStreamsLargeFamilies(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	for name, client := range map[string]*clientv3.Client{"in process": server.InProcess(), "tcp": server.Client()} {
		f := newScanFixture(t, client, streamedKeys)
		before := f.faults.Counts().Gets
		keys, err := f.scanStream(t.Context(), toTheEnd)
		require.NoError(t, err, name)
		requireAllKeys(t, keys)
		require.Equal(t, 1, f.faults.Counts().Gets-before, "%s: the first page", name)

		keys, err = f.scanStream(t.Context(), func(page int) bool { return page < 3 })
		require.NoError(t, err, name)
		require.Less(t, len(keys), streamedKeys, "%s: the caller has ended the scan", name)
	}
}

func TestScanUsesPagesWithoutStreams(t *testing.T) {
	t.Parallel()
	f := newScanFixture(t, etcdtest.Start(t).InProcess(), streamedKeys)
	f.raw.KV = &streams{KV: f.raw.KV, open: func(context.Context, string, ...clientv3.OpOption) (clientv3.GetStreamChan, error) {
		return nil, errors.New("unknown method")
	}}
	keys, err := f.scanStream(t.Context(), toTheEnd)
	require.NoError(t, err)
	requireAllKeys(t, keys)
}

// TestABrokenStreamFailsTheScan breaks a stream after some parts, in each way. The next scan reads
// pages.
func TestABrokenStreamFailsTheScan(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	breakAfter := func(kv clientv3.KV, breakStream func(ctx context.Context, cancel func())) *streams {
		return &streams{KV: kv, open: func(ctx context.Context, key string, opts ...clientv3.OpOption) (clientv3.GetStreamChan, error) {
			inner, cancel := context.WithCancel(ctx)
			parts, err := kv.GetStream(inner, key, opts...)
			require.NoError(t, err)
			broken := make(chan clientv3.RangeStreamResponse)
			go func() {
				defer cancel()
				defer close(broken)
				for range 2 {
					broken <- <-parts
				}
				breakStream(ctx, cancel)
				for part := range parts {
					if part.Err() != nil && ctx.Err() == nil {
						broken <- part
					}
				}
			}()
			return broken, nil
		}}
	}
	for name, breakStream := range map[string]func(ctx context.Context, cancel func()){
		"error":    func(_ context.Context, cancel func()) { cancel() },
		"no parts": func(ctx context.Context, _ func()) { <-ctx.Done() },
	} {
		client := server.InProcess()
		f := newScanFixture(t, client, streamedKeys)
		f.Client = etcd.NewClient(client, etcd.Options{CallTimeout: time.Second, OperationTimeout: 20 * time.Second})
		broken := breakAfter(client.KV, breakStream)
		client.KV = broken
		keys, err := f.scanStream(t.Context(), toTheEnd)
		require.ErrorIs(t, err, runtime.ErrUnavailable, name)
		require.Less(t, len(keys), streamedKeys, name)

		keys, err = f.scanStream(t.Context(), toTheEnd)
		require.NoError(t, err, name)
		requireAllKeys(t, keys)
		require.Equal(t, 1, broken.opened, name)
	}
}

func TestStreamReportsCompactionAndItsEnd(t *testing.T) {
	t.Parallel()
	f := newScanFixture(t, etcdtest.Start(t).InProcess(), streamedKeys)
	_, err := f.scanStream(t.Context(), func(page int) bool {
		if page == 2 {
			put, err := f.raw.Put(t.Context(), "/another", "value")
			require.NoError(t, err)
			_, err = f.raw.Compact(t.Context(), put.Header.GetRevision())
			require.NoError(t, err)
		}
		return true
	})
	require.ErrorIs(t, err, runtime.ErrCompacted)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = f.scanStream(ctx, func(page int) bool {
		if page == 2 {
			cancel()
		}
		return true
	})
	require.ErrorIs(t, err, context.Canceled)
}
