package bench_test

import (
	"os"
	"testing"

	"galaxy/rtmanager/internal/etcdtest"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }
