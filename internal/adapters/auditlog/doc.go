// Package auditlog implements ports.AuditLog by a file and a webhook, each optional.
//
// Files:
//
//	log.go      Log: passes each event to the file and the webhook
//	denied.go   deniedCounter: bounds the number of denied events
//	encode.go   one event as one line of JSON
//	file.go     File: open, append, check and close
//	commit.go   the batches of a File: many lines with one fsync
//	recovery.go the lines of a File that could not be stored
//	rotate.go   names, rotation and removal of the files
//	webhook.go  Webhook: sends events to an HTTP endpoint
//
// A line is stored once its batch has been written and synced. While one batch is being
// synced, the pending one collects the lines of all other callers: group commit, as in
// databases.
//
// If a batch cannot be stored, the File keeps its lines in memory and truncates what was
// written of them. Append and Check then return errors until a retry, once a second, has
// stored the lines. The File allocates disk space ahead of its end, so Check fails before
// the mutations in progress could find the disk full.
package auditlog
