// Package batcher sends concurrent etcd transactions in batches (group commit).
//
// A batch is one etcd transaction whose operations are nested transactions, each with its
// own compares and its own result. etcd reaches agreement on the whole batch at the price
// of one transaction.
package batcher
