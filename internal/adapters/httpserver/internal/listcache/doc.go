// Package listcache encodes the records of lists once for all callers. A record of a
// ports.RecordSnapshot never changes, so its JSON is kept as long as lists use it, and a list is
// put together from the JSON of its records. Callers that repeat a query while no record changes share
// the whole page, and its compressed form.
//
//	cache.go   Cache: pages by snapshot and query, and what each kind of entry costs
//	batch.go   the JSON of records that were encoded together
//	page.go    Page: the items of one page of a list
//	body.go    Body: a response, in parts that callers share
//	chunk.go   the compressed form of a run of records
//	gzip.go    a gzip stream from parts that were compressed alone
//	expire.go  drops what is not used any more, and what exceeds the limit
//
// Everything here is an optimization: a Page has the same bytes as an encoding of the page that
// ListPage returns.
package listcache
