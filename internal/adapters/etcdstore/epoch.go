package etcdstore

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"galaxy/rtmanager/internal/etcd"
)

// A deletion epoch is a key whose revision is that of the latest deletion of a game of its
// bucket. Nothing else remains of a deleted game.
//
// A transaction that inserts a record or an intent compares that they are absent. That alone
// would hold a second time after its game is deleted, and etcd may execute a try late. So it
// also compares that the epoch is not newer than a revision that etcd had reached before the
// first try: a try is applied after that revision, and the game is deleted after the try.
// An epoch need not be read with the base for that, and the cache serves absent bases as well.
//
// A deletion of another game of the bucket fails the compare too. The insert is then computed
// from the state that etcd has returned; only an ambiguous one stays of unknown outcome.

// compareDeletionEpoch compares that no game of the game's bucket was deleted after the
// revision.
func (s *Store) compareDeletionEpoch(gameID string, revision int64) *pb.Compare {
	return etcd.CompareNotModifiedSince([]byte(s.keys.DeletionEpoch(gameID)), nil, revision)
}

// getDeletionEpoch reads what decodeDeletionEpoch decodes.
func (s *Store) getDeletionEpoch(gameID string) *pb.RequestOp {
	return etcd.GetKeyOp([]byte(s.keys.DeletionEpoch(gameID)))
}

// decodeDeletionEpoch returns the revision of a deletion epoch, 0 if there was no deletion.
func decodeDeletionEpoch(resp *pb.ResponseOp) int64 {
	if kvs := resp.GetResponseRange().GetKvs(); len(kvs) > 0 {
		return kvs[0].GetModRevision()
	}
	return 0
}
