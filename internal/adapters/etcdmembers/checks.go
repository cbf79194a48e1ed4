package etcdmembers

import (
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/etcd"
)

// Checks returns the checks of the families of this package, below the prefix of a store.
func Checks(prefix string) []etcd.FamilyCheck {
	keys := newKeyspace(prefix)
	return []etcd.FamilyCheck{
		{Prefix: keys.nodes(), Effect: "the node counts as absent", Check: func(kv *mvccpb.KeyValue) error {
			_, err := keys.decodeNode(kv)
			return err
		}},
		{Prefix: keys.leaders(), Effect: "the leader is unknown", Check: func(kv *mvccpb.KeyValue) error {
			if _, err := keys.scopeOf(kv); err != nil {
				return err
			}
			_, err := decodeLeader(kv)
			return err
		}},
		{Prefix: keys.knownNodes(), Effect: "the node is not listed while it is absent", Check: func(kv *mvccpb.KeyValue) error {
			_, err := keys.decodeKnown(kv)
			return err
		}},
		{Prefix: keys.nodeSettings(), Effect: "the node or region counts as neither cordoned nor paused", Check: keys.checkSettings},
	}
}

// checkSettings returns why the settings of a node or region cannot be read.
func (k keyspace) checkSettings(kv *mvccpb.KeyValue) error {
	ref, err := k.settingsOf(string(kv.GetKey()))
	switch {
	case err != nil:
	case ref.Name != "":
		_, err = decodeSettings[node.Settings](kv)
	default:
		_, err = decodeSettings[node.RegionSettings](kv)
	}
	return err
}
