// Package storecheck lists the families of keys that a check of a whole store reads in addition to records, intents and
// their indexes.
package storecheck

import (
	"slices"

	"galaxy/rtmanager/internal/adapters/etcdaccess"
	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdreservations"
	"galaxy/rtmanager/internal/adapters/etcdrollouts"
	"galaxy/rtmanager/internal/adapters/etcdsecrets"
	"galaxy/rtmanager/internal/etcd"
)

// Families returns the checks of all these families below the prefix of a store.
func Families(prefix string) []etcd.FamilyCheck {
	return slices.Concat(
		etcdmembers.Checks(prefix), etcdreservations.Checks(prefix), etcdrollouts.Checks(prefix), etcdaccess.Checks(prefix), etcdsecrets.Checks(prefix),
	)
}
