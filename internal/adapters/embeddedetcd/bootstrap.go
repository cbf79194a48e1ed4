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

// removeIncompleteBootstrap removes the data of a first start that was killed before the
// member was ready. On such a directory etcd would start a member that does not know its
// cluster and waits for a leader forever (etcd-io/etcd#12578). No data is lost, since the
// write-ahead log of such a member contains no client request.
func (d dataDir) removeIncompleteBootstrap() error {
	member := filepath.Join(d.etcdDir(), "member")
	log := filepath.Join(member, "wal")
	if d.cluster.Bootstrapped || d.cluster.Origin == originJoin || !wal.Exist(log) {
		return nil
	}
	w, err := wal.OpenForRead(zap.NewNop(), log, &walpb.Snapshot{Index: proto.Uint64(0), Term: proto.Uint64(0)})
	if err != nil {
		return nil //nolint:nilerr // the log does not begin at its start, so this is no first start: etcd reports the error
	}
	_, _, entries, err := w.ReadAll()
	_ = w.Close()
	if err != nil || containsRequest(entries) {
		return nil //nolint:nilerr // etcd reports a corrupt log
	}
	return d.removeEtcd()
}

// removeEtcd removes the data of etcd. The caller has checked that it contains no request that
// only this member has.
func (d dataDir) removeEtcd() error {
	// The log is removed last. If this process is killed during the removal, the log still
	// exists, and the next start repeats the removal. On a database without its log etcd would
	// also wait forever.
	for _, part := range []string{filepath.Join(d.etcdDir(), "member", "snap"), d.etcdDir()} {
		if err := os.RemoveAll(part); err != nil {
			return fmt.Errorf("data directory %s: %w", d.path, err)
		}
	}
	return nil
}

// containsRequest reports whether a log contains more than the first entries of a
// member: the empty entry of a new leader, and the initial members.
func containsRequest(entries []*raftpb.Entry) bool {
	for _, e := range entries {
		if e.GetType() == raftpb.EntryNormal && len(e.GetData()) > 0 {
			return true
		}
	}
	return false
}
