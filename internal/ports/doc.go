// Package ports holds the contracts between the core and the outside, one a
// file, written as prose that storetest turns into tests. Adapters implement
// them; services, workers and the API call them; nothing here imports either.
package ports
