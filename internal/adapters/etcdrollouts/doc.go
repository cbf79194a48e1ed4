// Package etcdrollouts keeps rollouts in etcd, without a lease:
//
//	/rollouts/<id>              the rollout: what was requested, state, counts; JSON
//	/rollout-games/<id>/<game>  what the rollout has done with one game; JSON
//
// A game has a key of its own, so that a change of one of many games is a small write. Every
// change of a game is in one transaction with a write of its rollout, which compares the revision of
// the rollout: after a pause has been stored, no leader can begin a further game, and the
// revision of the rollout is that of its games too. Members that this version does not know
// survive.
//
//	store.go   Store, reads, and the watch
//	write.go   writes
//	codec.go   keys and values
package etcdrollouts
