package faultkv

import (
	"context"
	"slices"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Send sends a transaction to etcd, each time that it is called.
type Send func(ctx context.Context) (*clientv3.TxnResponse, error)

// Fault handles a transaction that may write. It may call send any number of times.
type Fault func(ctx context.Context, send Send) (*clientv3.TxnResponse, error)

// WriteFault is the Fault of the n-th such transaction, from 1.
type WriteFault func(ctx context.Context, n int, send Send) (*clientv3.TxnResponse, error)

// KV is the KV of a client, with faults and counts. A new one injects nothing. It is safe for
// concurrent use.
type KV struct {
	clientv3.KV

	mu       sync.Mutex
	writes   int // since the last OnWrite
	counts   Counts
	onWrite  WriteFault
	key      string
	request  func() error
	read     func(ctx context.Context) error
	response func(ctx context.Context) error
	get      func(*clientv3.GetResponse)
	trace    func(Request)
}

// Counts are the requests of one client.
type Counts struct {
	Gets      int
	ReadTxns  int
	WriteTxns int
	// Batches are the WriteTxns with several nested transactions.
	Batches int
}

// Total returns the number of all requests.
func (c Counts) Total() int { return c.Gets + c.ReadTxns + c.WriteTxns }

// Wrap adds fault injection and counts to the client.
func Wrap(client *clientv3.Client) *KV {
	k := &KV{KV: client.KV}
	client.KV = k
	return k
}

// OnWrite sets the fault of all writing transactions from now on; nil injects nothing. It
// resets Writes.
func (k *KV) OnWrite(fault WriteFault) { k.setWrite("", fault) }

// OnFirstWrite sets the fault of the next writing transaction.
func (k *KV) OnFirstWrite(fault Fault) { k.OnWrite(first(fault)) }

// OnWriteTo sets the fault of all transactions that write a key which contains the text. It
// resets Writes.
func (k *KV) OnWriteTo(key string, fault Fault) {
	k.setWrite(key, func(ctx context.Context, _ int, send Send) (*clientv3.TxnResponse, error) { return fault(ctx, send) })
}

// OnFirstWriteTo sets the fault of the next transaction that writes such a key.
func (k *KV) OnFirstWriteTo(key string, fault Fault) { k.setWrite(key, first(fault)) }

func first(fault Fault) WriteFault {
	return func(ctx context.Context, n int, send Send) (*clientv3.TxnResponse, error) {
		if n == 1 {
			return fault(ctx, send)
		}
		return send(ctx)
	}
}

func (k *KV) setWrite(key string, fault WriteFault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.writes, k.key, k.onWrite = 0, key, fault
}

// OnRead sets what runs before every request that cannot write; its error is the response.
func (k *KV) OnRead(fault func(ctx context.Context) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.read = fault
}

// OnRequest sets what runs before every request; its error is the response.
func (k *KV) OnRequest(fault func() error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.request = fault
}

// OnResponse sets what runs after each response of etcd; its error is returned with the
// response.
func (k *KV) OnResponse(fault func(ctx context.Context) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.response = fault
}

// OnGet sets what may change the response of a Get.
func (k *KV) OnGet(change func(*clientv3.GetResponse)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.get = change
}

// Writes returns the number of writing transactions since the last OnWrite; after OnWriteTo,
// of those that write the key.
func (k *KV) Writes() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.writes
}

// Counts returns the requests since Wrap.
func (k *KV) Counts() Counts {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.counts
}

// begin counts a request and runs the faults before it. isRead is for one that cannot write.
func (k *KV) begin(ctx context.Context, isRead bool, count func(*Counts), ops ...clientv3.Op) error {
	k.mu.Lock()
	count(&k.counts)
	request, read, trace := k.request, k.read, k.trace
	k.mu.Unlock()
	if trace != nil {
		trace(newRequest(ops))
	}
	if request != nil {
		if err := request(); err != nil {
			return err
		}
	}
	if read != nil && isRead {
		return read(ctx)
	}
	return nil
}

// end runs the faults after a request.
func (k *KV) end(ctx context.Context) error {
	k.mu.Lock()
	response := k.response
	k.mu.Unlock()
	if response == nil {
		return nil
	}
	return response(ctx)
}

// Get implements clientv3.KV.
func (k *KV) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	if err := k.begin(ctx, true, func(c *Counts) { c.Gets++ }, clientv3.OpGet(key, opts...)); err != nil {
		return nil, err
	}
	resp, err := k.KV.Get(ctx, key, opts...)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	change := k.get
	k.mu.Unlock()
	if change != nil {
		change(resp)
	}
	return resp, k.end(ctx)
}

// Put implements clientv3.KV.
func (k *KV) Put(ctx context.Context, key, value string, opts ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	if err := k.begin(ctx, false, func(*Counts) {}, clientv3.OpPut(key, value, opts...)); err != nil {
		return nil, err
	}
	return k.KV.Put(ctx, key, value, opts...)
}

// Delete implements clientv3.KV.
func (k *KV) Delete(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.DeleteResponse, error) {
	if err := k.begin(ctx, false, func(*Counts) {}, clientv3.OpDelete(key, opts...)); err != nil {
		return nil, err
	}
	return k.KV.Delete(ctx, key, opts...)
}

// Do implements clientv3.KV.
func (k *KV) Do(ctx context.Context, op clientv3.Op) (clientv3.OpResponse, error) {
	if err := k.begin(ctx, op.IsGet(), func(*Counts) {}, op); err != nil {
		return clientv3.OpResponse{}, err
	}
	return k.KV.Do(ctx, op)
}

// Txn implements clientv3.KV.
func (k *KV) Txn(ctx context.Context) clientv3.Txn { return &txn{kv: k, ctx: ctx} }

// txn collects a transaction, so that it can be sent any number of times.
type txn struct {
	kv       *KV
	ctx      context.Context
	compares []clientv3.Cmp
	then     []clientv3.Op
	orElse   []clientv3.Op
}

func (x *txn) If(compares ...clientv3.Cmp) clientv3.Txn {
	x.compares = compares
	return x
}

func (x *txn) Then(ops ...clientv3.Op) clientv3.Txn {
	x.then = ops
	return x
}

func (x *txn) Else(ops ...clientv3.Op) clientv3.Txn {
	x.orElse = ops
	return x
}

func (x *txn) Commit() (*clientv3.TxnResponse, error) {
	send := func(ctx context.Context) (*clientv3.TxnResponse, error) {
		resp, err := x.kv.KV.Txn(ctx).If(x.compares...).Then(x.then...).Else(x.orElse...).Commit()
		if err != nil {
			return nil, err
		}
		return resp, x.kv.end(ctx)
	}
	isRead := !slices.ContainsFunc(x.then, canWrite)
	if err := x.kv.begin(x.ctx, isRead, x.count(isRead), x.then...); err != nil {
		return nil, err
	}
	var fault WriteFault
	var n int
	if !isRead {
		n, fault = x.kv.nextWrite(x.then)
	}
	if fault != nil {
		return fault(x.ctx, n, send)
	}
	return send(x.ctx)
}

func (x *txn) count(isRead bool) func(*Counts) {
	return func(c *Counts) {
		switch {
		case isRead:
			c.ReadTxns++
		default:
			c.WriteTxns++
			if len(x.then) > 1 && x.then[0].IsTxn() {
				c.Batches++
			}
		}
	}
}

// canWrite reports whether an operation may write. A nested transaction may.
func canWrite(op clientv3.Op) bool { return op.IsPut() || op.IsDelete() || op.IsTxn() }

// nextWrite counts a writing transaction and returns its number and fault.
func (k *KV) nextWrite(ops []clientv3.Op) (int, WriteFault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	writesKey := func(op clientv3.Op) bool { return canWrite(op) && strings.Contains(string(op.KeyBytes()), k.key) }
	if k.key != "" && !slices.ContainsFunc(ops, writesKey) {
		return 0, nil
	}
	k.writes++
	return k.writes, k.onWrite
}
