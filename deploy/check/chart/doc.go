// Package chart renders the Helm chart as helm does, its values held against their schema.
package chart
