package etcdcluster_test

import (
	"os"
	"testing"

	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }
