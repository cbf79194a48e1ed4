package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "bench": // a member of etcd, which bench has started
		os.Exit(Main(context.Background(), os.Args[1:], SystemStreams()))
	case len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "--endpoints="): // of bench --against
		runPeer(os.Args[1:])
		return
	}
	os.Exit(etcdtest.Main(m))
}

// runPeer runs a program that reports figures of another store, without measuring one. If
// it gets no --prefix, it fails.
func runPeer(args []string) {
	if len(args) != 5 || !strings.HasPrefix(args[1], "--prefix=/rtmanager-bench/") {
		fmt.Fprintln(os.Stderr, "unexpected flags", args)
		os.Exit(1)
	}
	fmt.Println("ready")
	for requests := bufio.NewScanner(os.Stdin); requests.Scan(); {
		if strings.HasPrefix(requests.Text(), "measure get-rate ") {
			fmt.Println(`{"error":"no such row"}`)
			continue
		}
		fmt.Println(`{"workers":4,"ops":1000,"elapsed_ns":1000000,"mean_us":10,"p50_us":9,"p99_us":20,"cpu_ns":2000000,"allocations":3000,"alloc_bytes":4000}`)
	}
}
