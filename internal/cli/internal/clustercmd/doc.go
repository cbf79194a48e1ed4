// Package clustercmd has the commands about the etcd members of a cluster: rtmanager cluster.
//
//	command.go  Host, and the parent of the commands
//	init.go     init: certificates of all members, and the commands of their hosts
//	members.go  members and status: what each member reports
//	remove.go   remove and replace
//	cert.go     cert: the commands of rtmanager cert for a cluster
package clustercmd
