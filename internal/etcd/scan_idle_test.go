package etcd_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/etcd"
)

// firstPage is a KV whose reads return the first key of a large family.
type firstPage struct{ clientv3.KV }

func (firstPage) Get(_ context.Context, key string, _ ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	return &clientv3.GetResponse{Header: &etcdserverpb.ResponseHeader{Revision: 1}, Count: streamedKeys, More: true, Kvs: []*mvccpb.KeyValue{{Key: []byte(key)}}}, nil
}

// TestPartAtTheEndOfTheIdleTimeout sends a part at the moment when the timeout of the stream ends. If
// the scan has received it, the stream must continue.
func TestPartAtTheEndOfTheIdleTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = time.Second
		isCanceled := false
		var pages atomic.Int64 // that the scan has received
		kv := &streams{KV: firstPage{}, open: func(ctx context.Context, _ string, _ ...clientv3.OpOption) (clientv3.GetStreamChan, error) {
			parts := make(chan clientv3.RangeStreamResponse)
			go func() {
				defer close(parts)
				parts <- clientv3.RangeStreamResponse{RangeResponse: &etcdserverpb.RangeResponse{}}
				<-time.After(timeout)
				select {
				case parts <- clientv3.RangeStreamResponse{RangeResponse: &etcdserverpb.RangeResponse{}}:
					synctest.Wait() // for everything else that happens at this moment
					isCanceled = pages.Load() == 3 && ctx.Err() != nil
				case <-time.After(timeout): // the scan has ended
				}
			}()
			return parts, nil
		}}
		client := etcd.NewClient(&clientv3.Client{KV: kv}, etcd.Options{CallTimeout: timeout, OperationTimeout: time.Minute})
		_, err := client.ScanRange(t.Context(), etcd.ScanRange{Family: "/", From: "/", Stream: true}, func(int64, []*mvccpb.KeyValue) (bool, error) {
			pages.Add(1)
			return true, nil
		})
		require.Error(t, err, "the stream ends early")
		require.False(t, isCanceled, "the stream was canceled after a part has arrived")
	})
}
