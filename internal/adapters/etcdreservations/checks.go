package etcdreservations

import (
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/etcd"
)

// Checks returns the check of the reservations below the prefix of a store.
func Checks(prefix string) []etcd.FamilyCheck {
	s := &Store{prefix: familyOf(prefix)}
	return []etcd.FamilyCheck{{Prefix: s.prefix, Effect: "no game is placed on the node", Check: func(kv *mvccpb.KeyValue) error {
		segment, _, isNode := strings.Cut(strings.TrimPrefix(string(kv.GetKey()), s.prefix), "/")
		region, err := etcd.UnescapeSegment(segment)
		switch {
		case err != nil:
			return err
		case !isNode:
			return fmt.Errorf("%q is not a region and a node", segment)
		}
		return s.decode(region, kv).Fault
	}}}
}
