// Package netns runs processes of a test on hosts of their own: network namespaces with an address each, which
// are connected by a bridge of the test. It needs Linux, the right to make namespaces, and nft for faults.
package netns
