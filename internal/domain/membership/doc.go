// Package membership describes the members of an etcd cluster, and decides which removals of a
// member are safe. It contacts no member.
//
//	cluster.go  Cluster, Member: what is known of each member
//	quorum.go   Quorum: how many members may be lost
//	warnings.go what needs the attention of an operator
//	removal.go  PlanRemoval: the effect of a removal, and the reasons to reject it
//	errors.go   the errors of a removal
package membership
