#pragma once

/// Counts and prints what cutting off 256 connections takes, all of them owed a turn, each.
void cut_off_owed();
