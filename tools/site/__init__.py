"""Make the parts of the site that other files declare: tables, commands, notebooks, pictures."""
