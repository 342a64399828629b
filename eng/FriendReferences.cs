// An inline MSBuild task of FriendReferences.targets: one source file, the API of netstandard2.0.
#nullable enable
using System;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace Microsoft.ML.Contrastive;

/// <summary>Writes copies of assemblies, for the compiler only, in which internal members are public.</summary>
public sealed class WriteFriendReferences : Task
{
    [Required]
    public ITaskItem[] Assemblies { get; set; } = Array.Empty<ITaskItem>();

    [Required]
    public string OutputDirectory { get; set; } = "";

    public override bool Execute()
    {
        Directory.CreateDirectory(OutputDirectory);
        foreach (string source in Assemblies.Select(assembly => assembly.GetMetadata("FullPath")))
        {
            string destination = Path.Combine(OutputDirectory, Path.GetFileName(source));
            try
            {
                byte[] image = File.ReadAllBytes(source);
                int opened = new MetadataTables(image).OpenInternals();
                string temporary = destination + "." + Guid.NewGuid().ToString("N");
                File.WriteAllBytes(temporary, image);
                File.Delete(destination);
                File.Move(temporary, destination);
                Log.LogMessage("{0}: opened {1} types and members", destination, opened);
            }
            catch (Exception e) when (e is InvalidDataException || e is ArgumentException || e is IndexOutOfRangeException)
            {
                Log.LogError("FriendReference: {0} is no .NET assembly whose metadata this build understands: {1}", source, e.Message);
            }
            catch (Exception e) when (e is IOException || e is UnauthorizedAccessException)
            {
                Log.LogErrorFromException(e);
            }
        }

        return !Log.HasLoggedErrors;
    }
}

/// <summary>
/// The metadata tables of a .NET assembly (ECMA-335, II.22 and II.24), as far as it takes to change accessibility in the rows of
/// TypeDef, Field and MethodDef. Nothing moves, so the image keeps its size and layout.
/// </summary>
internal sealed class MetadataTables
{
    private const int TypeRef = 1, TypeDef = 2, FieldPtr = 3, Field = 4, MethodPtr = 5, MethodDef = 6, Param = 8, ModuleRef = 0x1A, TypeSpec = 0x1B, AssemblyRef = 0x23;

    private readonly byte[] image;
    private readonly int[] rows = new int[64];
    private readonly int[] rowSize = new int[MethodDef + 1];
    private readonly int firstRow;

    public MetadataTables(byte[] image)
    {
        this.image = image;
        int tables = FindTables();
        byte heapSizes = image[tables + 6];
        long present = BitConverter.ToInt64(image, tables + 8);
        firstRow = tables + 24;
        for (int table = 0; table < 64; table++)
        {
            if ((present >> table & 1) == 0)
                continue;
            rows[table] = I32(firstRow);
            firstRow += 4;
        }

        int text = (heapSizes & 1) != 0 ? 4 : 2, guid = (heapSizes & 2) != 0 ? 4 : 2, blob = (heapSizes & 4) != 0 ? 4 : 2;
        rowSize[0] = 2 + text + 3 * guid;
        rowSize[TypeRef] = IndexSize(2, 0, TypeRef, ModuleRef, AssemblyRef) + 2 * text;
        rowSize[TypeDef] = 4 + 2 * text + IndexSize(2, TypeRef, TypeDef, TypeSpec) + IndexSize(0, Field) + IndexSize(0, MethodDef);
        rowSize[FieldPtr] = IndexSize(0, Field);
        rowSize[Field] = 2 + text + blob;
        rowSize[MethodPtr] = IndexSize(0, MethodDef);
        rowSize[MethodDef] = 8 + text + blob + IndexSize(0, Param);
    }

    /// <summary>
    /// Internal becomes public, private protected becomes protected. Private and protected internal members stay: opening them too
    /// gives events and their fields the same name.
    /// </summary>
    /// <returns>How many types and members changed.</returns>
    public int OpenInternals()
    {
        int changed = 0, row = firstRow;
        for (int table = 0; table <= MethodDef; table++)
        {
            for (int i = 0; i < rows[table]; i++, row += rowSize[table])
            {
                // The accessibility is in the low three bits of the flags.
                if (table == TypeDef)
                    changed += Replace(row, (0, 1), (5, 2), (6, 4), (7, 2)); // not public; nested: internal, private protected, protected internal
                else if (table == Field)
                    changed += Replace(row, (3, 6), (2, 4));                 // internal, private protected
                else if (table == MethodDef)
                    changed += Replace(row + 6, (3, 6), (2, 4));
            }
        }

        return changed;
    }

    private int Replace(int flags, params (int From, int To)[] changes)
    {
        int access = image[flags] & 7;
        foreach ((int from, int to) in changes)
        {
            if (access != from)
                continue;
            image[flags] = (byte)(image[flags] & ~7 | to);
            return 1;
        }

        return 0;
    }

    private int FindTables()
    {
        int header = I32(0x3C);
        if (I32(header) != 0x4550)
            throw new InvalidDataException("not a PE image");
        int sectionCount = U16(header + 6), optionalHeader = header + 24;
        int directories = optionalHeader + (U16(optionalHeader) == 0x20B ? 112 : 96);
        int sections = optionalHeader + U16(header + 20);

        int FileOffset(int address)
        {
            for (int section = sections; section < sections + 40 * sectionCount; section += 40)
            {
                int start = I32(section + 12), size = Math.Max(I32(section + 8), I32(section + 16));
                if (address >= start && address < start + size)
                    return address - start + I32(section + 20);
            }

            throw new InvalidDataException("an address outside every section");
        }

        int metadata = FileOffset(I32(FileOffset(I32(directories + 14 * 8)) + 8));
        if (I32(metadata) != 0x424A5342)
            throw new InvalidDataException("no metadata");
        int stream = metadata + 16 + I32(metadata + 12);
        int streamCount = U16(stream + 2);
        stream += 4;
        for (int i = 0; i < streamCount; i++)
        {
            int end = Array.IndexOf(image, (byte)0, stream + 8);
            string name = Encoding.ASCII.GetString(image, stream + 8, end - stream - 8);
            if (name == "#~")
                return metadata + I32(stream);
            stream += 8 + (name.Length + 4 & ~3);
        }

        throw new InvalidDataException("no metadata tables");
    }

    /// <summary>An index into one of several tables holds the choice in its lowest bits, and has four bytes when two are too few.</summary>
    private int IndexSize(int choiceBits, params int[] tables) => tables.Any(table => rows[table] >= 1 << 16 - choiceBits) ? 4 : 2;

    private int I32(int offset) => BitConverter.ToInt32(image, offset);

    private int U16(int offset) => BitConverter.ToUInt16(image, offset);
}
