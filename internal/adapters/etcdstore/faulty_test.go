package etcdstore_test

import (
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// newFaultyClient returns a client of the shared server with fault injection.
func newFaultyClient(t *testing.T) (*clientv3.Client, *faultkv.KV) {
	t.Helper()
	client := etcdtest.InProcess(t)
	return client, faultkv.Wrap(client)
}
