-- PostgreSQL. Say by what an archive file is known to be that of its series. In: file_id, identified_by.
UPDATE archive_files SET identified_by = %(identified_by)s WHERE file_id = %(file_id)s
