package cli

import (
	"context"
	"os"
	"testing"

	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "bench" { // a member of etcd, which bench has started
		os.Exit(Main(context.Background(), os.Args[1:], SystemStreams()))
	}
	os.Exit(etcdtest.Main(m))
}
