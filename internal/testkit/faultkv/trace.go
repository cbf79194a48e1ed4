package faultkv

import (
	"runtime"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Request describes one request of a client.
type Request struct {
	// Operations are those that the request makes if its compares succeed, each as verb and key,
	// such as "put /runtimes/g". Those of nested transactions are among them.
	Operations []string
	// Callers are the functions of this module that made the request, the innermost first, without
	// the path of the module. They do not include functions of other goroutines.
	Callers []string
}

// OnTrace sets what receives a description of every request before it is sent; nil describes none.
// It may be called concurrently.
func (k *KV) OnTrace(trace func(Request)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trace = trace
}

func newRequest(ops []clientv3.Op) Request {
	return Request{Operations: describe(nil, ops), Callers: callers()}
}

// describe appends the descriptions of operations.
func describe(described []string, ops []clientv3.Op) []string {
	for _, op := range ops {
		switch {
		case op.IsTxn():
			_, then, _ := op.Txn()
			described = describe(described, then)
		case op.IsPut():
			described = append(described, "put "+string(op.KeyBytes()))
		case op.IsDelete():
			described = append(described, "delete "+string(op.KeyBytes()))
		default:
			described = append(described, "get "+string(op.KeyBytes()))
		}
	}
	return described
}

// callers returns the functions of this module on the stack, without those of this package.
func callers() []string {
	const module, maxDepth = "galaxy/rtmanager/internal/", 64
	var found []string
	pcs := make([]uintptr, maxDepth)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		frame, hasMore := frames.Next()
		if name, isOfModule := strings.CutPrefix(frame.Function, module); isOfModule && !strings.HasPrefix(name, "testkit/faultkv.") {
			found = append(found, name)
		}
		if !hasMore {
			return found
		}
	}
}
