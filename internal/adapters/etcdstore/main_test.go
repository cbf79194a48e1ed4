package etcdstore_test

import (
	"flag"
	"os"
	"testing"

	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestMain(m *testing.M) {
	// Most of these tests wait for etcd, so more of them run in parallel than there are
	// cores.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(etcdtest.Main(m))
}
