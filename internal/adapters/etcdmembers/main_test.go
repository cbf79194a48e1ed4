package etcdmembers_test

import (
	"flag"
	"os"
	"testing"

	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestMain(m *testing.M) {
	// Most of these tests wait for leases, so more of them can run than there are cores.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(etcdtest.Main(m))
}
