package etcd_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// scanFixture is a family of keys, and a client whose requests are counted.
type scanFixture struct {
	*etcd.Client
	raw    *clientv3.Client
	faults *faultkv.KV
	family string
}

func newScanFixture(t *testing.T, client *clientv3.Client, keys int) scanFixture {
	t.Helper()
	f := scanFixture{raw: client, faults: faultkv.Wrap(client), family: etcdtest.Prefix(t) + "/"}
	f.Client = etcd.NewClient(client, etcd.Options{CallTimeout: 5 * time.Second, OperationTimeout: 20 * time.Second})
	for from := 0; from < keys; from += 100 {
		var puts []clientv3.Op
		for n := from; n < min(from+100, keys); n++ {
			puts = append(puts, clientv3.OpPut(fmt.Sprintf("%s%05d", f.family, n), "value"))
		}
		_, err := client.Txn(t.Context()).Then(puts...).Commit()
		require.NoError(t, err)
	}
	return f
}

// sizes returns the sizes of the pages of a scan.
func (f scanFixture) sizes(ctx context.Context, enough int) (sizes []int, total int, err error) {
	_, err = f.ScanRange(ctx, etcd.ScanRange{Family: f.family, From: f.family, Enough: enough}, func(_ int64, kvs []*mvccpb.KeyValue) (bool, error) {
		sizes, total = append(sizes, len(kvs)), total+len(kvs)
		return enough == 0 || total < enough, nil
	})
	return sizes, total, err
}

func TestScanReadsWhatIsEnough(t *testing.T) {
	t.Parallel()
	f := newScanFixture(t, etcdtest.Start(t).InProcess(), 2000)
	for _, enough := range []int{1, 11, 501, 1001} {
		sizes, _, err := f.sizes(t.Context(), enough)
		require.NoError(t, err)
		require.Equal(t, []int{enough}, sizes)
	}
	_, total, err := f.sizes(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 2000, total)
}

// TestScanShrinksPagesThatTimeOut lets only small pages through, as a slow line does.
func TestScanShrinksPagesThatTimeOut(t *testing.T) {
	t.Parallel()
	f := newScanFixture(t, etcdtest.Start(t).InProcess(), 600)
	slow := etcd.NewClient(f.raw, etcd.Options{CallTimeout: 200 * time.Millisecond, OperationTimeout: 20 * time.Second})
	size := 0
	f.faults.OnGet(func(resp *clientv3.GetResponse) { size = len(resp.Kvs) })
	f.faults.OnResponse(func(ctx context.Context) error {
		if size <= 40 {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	f.Client = slow
	sizes, total, err := f.sizes(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 600, total)
	require.Less(t, sizes[0], 41)
}

// TestScansSurviveFrequentCompactions compacts before each page but the first, so that only a
// scan in one page succeeds.
func TestScansSurviveFrequentCompactions(t *testing.T) {
	t.Parallel()
	client := etcdtest.Start(t).InProcess()
	f := newScanFixture(t, client, 3000)
	reads := 0
	f.faults.OnRead(func(ctx context.Context) error {
		if reads++; reads == 1 {
			return nil
		}
		put, err := client.Put(ctx, "/another", "value")
		if err != nil {
			return err
		}
		_, err = client.Compact(ctx, put.Header.GetRevision())
		return err
	})
	total, err := etcd.RetryOnCompaction(t.Context(), func(ctx context.Context) (int, error) {
		reads = 0
		_, total, err := f.sizes(ctx, 0)
		return total, err
	})
	require.NoError(t, err)
	require.Equal(t, 3000, total)
}
