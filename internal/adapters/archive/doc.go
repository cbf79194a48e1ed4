// Package archive implements ports.Archive by a file and a webhook, each optional.
//
//	archive.go  Archive: one batch of games after the other, for the file and the webhook
//	encode.go   one game as one line of JSON
//	file.go     file: one file a day, which the daemon never deletes
//	webhook.go  webhook: sends lines to an HTTP endpoint
//
// A game is archived once the file has been synced and the endpoint has accepted its line. While
// one batch is being stored, the pending one collects the lines of all other callers.
package archive
