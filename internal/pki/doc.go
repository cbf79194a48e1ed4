// Package pki is a small certificate authority in a directory, for operators without one.
//
// It has two authorities. That of the API issues certificates of daemons and users; that of
// etcd issues those with which programs reach etcd. They are separate, so that the client
// certificate of a user never opens etcd. Keys are ECDSA P-256 in files of mode 0600.
//
//	DIR/ca.crt, ca.key                  the authority of the API
//	DIR/etcd-ca.crt, etcd-ca.key        the authority of etcd
//	DIR/nodes/REGION/NODE/              what a daemon needs: tls.crt, tls.key, ca.crt,
//	                                    etcd.crt, etcd.key, etcd-ca.crt
//	DIR/users/NAME/                     what a user needs: tls.crt, tls.key, ca.crt
//	DIR/etcd-clients/NAME/              what a client of etcd needs: etcd.crt, etcd.key, etcd-ca.crt
//
// While an authority is being replaced, its file has two certificates, the new one first.
//
//	authority.go  an authority: create, load, sign
//	subject.go    the rules for names, groups and hosts
//	directory.go  Init, Open, and the files of a directory
//	issue.go      certificates of daemons, users and clients of etcd
//	renew.go      the issued certificates, and their renewal
//	rotate.go     the replacement of an authority in two steps
package pki
