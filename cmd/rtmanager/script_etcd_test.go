package main

import (
	"context"
	"fmt"

	"github.com/rogpeppe/go-internal/testscript"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

func etcdPutCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: etcdput KEY VALUE")
	}
	withEtcd(ts, func(ctx context.Context, client *clientv3.Client) error {
		_, err := client.Put(ctx, args[0], args[1])
		return err
	})
}

func etcdDeleteCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: etcddel KEY")
	}
	withEtcd(ts, func(ctx context.Context, client *clientv3.Client) error {
		deleted, err := client.Delete(ctx, args[0])
		if err == nil && deleted.Deleted != 1 {
			err = fmt.Errorf("there is no key %q", args[0])
		}
		return err
	})
}

// etcdCompactCommand compacts etcd at its current revision.
func etcdCompactCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 0 {
		ts.Fatalf("usage: etcdcompact")
	}
	withEtcd(ts, func(ctx context.Context, client *clientv3.Client) error {
		head, err := client.Get(ctx, "/")
		if err != nil {
			return err
		}
		_, err = client.Compact(ctx, head.Header.GetRevision(), clientv3.WithCompactPhysical())
		return err
	})
}

func withEtcd(ts *testscript.TestScript, use func(context.Context, *clientv3.Client) error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{ts.Getenv("ETCD")}, Logger: zap.NewNop()})
	ts.Check(err)
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	ts.Check(use(ctx, client))
}
