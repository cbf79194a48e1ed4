package storetest_test

import (
	"testing"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/modeltest"
	"galaxy/rtmanager/internal/testkit/storetest"
)

// The conformance test of a new store adapter. An adapter without fences or
// without compaction leaves these fields nil.
func ExampleRun() {
	testAdapter := func(t *testing.T) {
		harness := storetest.Harness{
			Open: func(*testing.T) storetest.Store { return memstore.New() },
			Compact: func(t *testing.T, store storetest.Store, revision int64) {
				if err := store.(*memstore.Store).Compact(revision); err != nil {
					t.Fatal(err)
				}
			},
			Delete: func(_ *testing.T, store storetest.Store, gameID string) {
				store.(*memstore.Store).DeleteKeys(gameID)
			},
			Fences: &storetest.Fences{
				Grant: func(_ *testing.T, store storetest.Store) node.Fence {
					store.(*memstore.Store).SetFence("/leaders/eu", 7)
					return node.Fence{Key: "/leaders/eu", CreateRevision: 7}
				},
				Revoke: func(_ *testing.T, store storetest.Store, fence node.Fence) {
					store.(*memstore.Store).DeleteFence(fence.Key)
				},
			},
			NewModel: func() storetest.Model { return memstore.New() },
		}
		t.Run("contract", func(t *testing.T) { storetest.Run(t, harness) })
		t.Run("model", func(t *testing.T) { modeltest.Run(t, harness, 4, 100) })
	}
	_ = testAdapter // named TestXxx, and run by go test
}
