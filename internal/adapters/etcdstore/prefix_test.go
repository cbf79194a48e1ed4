package etcdstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// The keys of a store in a family of another one would be corrupt keys there.
func TestNestedPrefixesAreRejected(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][2]string{
		"below a family": {"", "/runtimes"}, "deep below a family": {"", "/transitions/a/b"}, "below the nodes": {"", "/nodes"}, "above": {"/runtimes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, prefix := etcdtest.InProcess(t), etcdtest.Prefix(t)
			openStore(t, client, etcdstore.Options{Prefix: prefix + order[0]})
			_, err := etcdstore.Open(t.Context(), client, etcdstore.Options{Prefix: prefix + order[1]})
			require.ErrorIs(t, err, runtime.ErrIncompatible)
			require.ErrorContains(t, err, "use another prefix")
		})
	}
}

func TestPrefixesSideBySideAreAccepted(t *testing.T) {
	t.Parallel()
	client, prefix := etcdtest.InProcess(t), etcdtest.Prefix(t)
	for _, suffix := range []string{"", "/eu", "/eu2", "/runtimes2", "/eu/runtimes3"} {
		openStore(t, client, etcdstore.Options{Prefix: prefix + suffix})
	}
}
