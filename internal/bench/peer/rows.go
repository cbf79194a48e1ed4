package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
)

// The rows have the names of those of rtmanager bench.
const (
	updateLatency = "update-latency"
	updateRate    = "update-rate"
	getRate       = "get-rate"
	list          = "list"
)

var rows = []string{updateLatency, updateRate, getRate, list}

// call is one operation of one worker.
type call func(ctx context.Context) error

// calls returns the calls of the workers of a row. It creates the objects to read before the
// first row that reads.
func (p *peer) calls(ctx context.Context, row string) ([]call, error) {
	switch row {
	case updateLatency:
		return newCalls(1, p.update), nil
	case updateRate:
		return newCalls(p.options.writers, p.update), nil
	}
	if !p.readable {
		if err := p.put(ctx, p.options.objects, recordKey); err != nil {
			return nil, err
		}
		p.readable = true
	}
	if row == getRate {
		return newCalls(p.options.readers, p.get), nil
	}
	return newCalls(1, p.list), nil
}

func newCalls(workers int, newCall func(worker int) call) []call {
	calls := make([]call, workers)
	for i := range calls {
		calls[i] = newCall(i)
	}
	return calls
}

// update returns a call that changes the object of the writer. The store gets the result of
// the last update, as from a watch cache, so it does not read the object first.
func (p *peer) update(writer int) call {
	key := writerKey(writer)
	change := func(current runtime.Object, _ storage.ResponseMeta) (runtime.Object, *uint64, error) {
		next := current.(*game).clone() // the cached object must not change
		next.Generation++
		return next, nil, nil
	}
	return func(ctx context.Context) error {
		result := new(game)
		if err := p.store.GuaranteedUpdate(ctx, key, result, false, nil, change, p.cached[writer]); err != nil {
			return err
		}
		p.cached[writer] = result
		return nil
	}
}

// get returns a call that reads one object, with a linearizable read of etcd.
func (p *peer) get(int) call {
	return func(ctx context.Context) error {
		return p.store.Get(ctx, recordKey(rand.IntN(p.options.objects)), storage.GetOptions{}, new(game))
	}
}

// list returns a call that reads all objects to read, with a linearizable read of etcd.
func (p *peer) list(int) call {
	return func(ctx context.Context) error {
		result := new(gameList)
		err := p.store.GetList(ctx, resource+"/records", storage.ListOptions{Recursive: true, Predicate: storage.Everything}, result)
		if err == nil && len(result.Items) != p.options.objects {
			return fmt.Errorf("the list has %d objects of %d", len(result.Items), p.options.objects)
		}
		return err
	}
}
