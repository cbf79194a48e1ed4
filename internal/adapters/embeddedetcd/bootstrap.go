package embeddedetcd

import (
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
)

// discardStillbirth removes what a first start has left that was killed before
// the member knew itself. etcd starts on such a directory, takes it for that of
// a member that has forgotten its cluster, and waits for a leader for ever
// (etcd-io/etcd#12578). Nothing is lost: the log of such a member holds no
// request of anybody.
func (d dataDir) discardStillbirth() error {
	member := filepath.Join(d.etcdDir(), "member")
	log := filepath.Join(member, "wal")
	if d.cluster.Bootstrapped || !wal.Exist(log) {
		return nil
	}
	w, err := wal.OpenForRead(zap.NewNop(), log, &walpb.Snapshot{Index: proto.Uint64(0), Term: proto.Uint64(0)})
	if err != nil {
		return nil //nolint:nilerr // not a log from its beginning, so not a first start's: for etcd to judge
	}
	_, _, entries, err := w.ReadAll()
	_ = w.Close()
	if err != nil || holdsRequest(entries) {
		return nil //nolint:nilerr // damage is for etcd to report
	}
	// The log goes last, so that a removal which is killed as well begins anew: on
	// a database without its log etcd would wait for ever, too.
	for _, part := range []string{filepath.Join(member, "snap"), d.etcdDir()} {
		if err := os.RemoveAll(part); err != nil {
			return fmt.Errorf("data directory %s: %w", d.path, err)
		}
	}
	return nil
}

// holdsRequest reports whether a log has come further than the member's own
// first words: a new leader's empty entry and the members it was founded with.
func holdsRequest(entries []*raftpb.Entry) bool {
	for _, e := range entries {
		if e.GetType() == raftpb.EntryNormal && len(e.GetData()) > 0 {
			return true
		}
	}
	return false
}
