package daemon

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/etcdcluster"
)

// An error names the command that resolves it, also below other errors.
func TestAdviceForMembers(t *testing.T) {
	t.Parallel()
	taken := &etcdcluster.TakenError{Member: etcdcluster.Member{Name: "us/us-1"}}
	for _, test := range []struct {
		err  error
		want string
	}{
		{&embeddedetcd.ConfigError{Field: embeddedetcd.FieldJoin, Err: fmt.Errorf("join: %w", taken)}, "rtmanager cluster replace us/us-1"},
		{fmt.Errorf("etcd: %w", embeddedetcd.ErrOldData), "rtmanager cluster replace"},
		{&embeddedetcd.ConfigError{Field: embeddedetcd.FieldCertificate, Err: errors.New("not valid")}, "rtmanager cluster cert issue"},
		{&embeddedetcd.RemovedError{}, "--cluster-join"},
	} {
		require.ErrorContains(t, adviseFlags(test.err), test.want)
	}
}
